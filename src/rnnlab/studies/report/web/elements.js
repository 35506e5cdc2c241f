// What all parts of the report are made of.

for (const run of data.runs) for (const curve of Object.values(run.curves)) curve[0] = data.epochs[curve[0]];

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
