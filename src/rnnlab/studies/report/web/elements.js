"use strict";
// What the page shows, and how its elements are made. A text is text, whatever is in it: nothing
// here or below takes HTML from a string.

const data = JSON.parse(document.getElementById("data").textContent);
for (const run of data.runs) for (const curve of Object.values(run.curves)) curve[0] = data.epochs[curve[0]];
const SVG = new Set(["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "title", "defs", "pattern"]);

function element(name, attributes = {}, ...children) {
  const made = SVG.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function section(title, note = "") {
  const tools = element("div", { class: "tools" });
  const body = element("div");
  const sentence = element("p", { class: "note" }, note);
  const whole = element("section", {}, element("h2", {}, title), sentence, tools, body);
  document.querySelector("main").append(whole);
  return { whole, tools, body, sentence };
}

function copyButton(words) {
  const button = element("button", { type: "button", class: "copy", title: words }, "copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(words)) ? "copied" : "press Ctrl-C";
    setTimeout(() => (button.textContent = "copy"), 1500);
  });
  return button;
}

async function copied(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {  // no permission, or an old browser
    const area = element("textarea", { "aria-hidden": "true" });
    area.value = words;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function command(words) {
  return element("div", { class: "command" }, element("code", {}, words), copyButton(words));
}

function choice(label, options, chosen, change) {
  const select = element("select", { "aria-label": label },
    ...options.map(([value, words]) => element("option", { value, selected: value === chosen }, words)));
  select.addEventListener("change", () => change(select.value));
  return element("label", {}, `${label} `, select);
}

function toggle(words, pressed, change, title = "") {
  return element("button", { type: "button", "aria-pressed": String(pressed), title: title || null, onclick: () => change(!pressed) }, words);
}

function figure(value, digits = 4) {
  if (value === null || value === undefined) return "";
  return typeof value === "number" ? String(Number(value.toPrecision(digits))) : value;
}
