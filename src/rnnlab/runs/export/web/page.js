// What a person sets, and the loop that writes.

const LONGEST = 5000;
const PACES = { slow: "eight a second", frame: "one a frame", fast: "as fast as it can" };
const SLOW = 125, BUDGET = 12;  // milliseconds: between two tokens; of work in a frame
const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;

const prompt = element("textarea", { id: "prompt", rows: 2, spellcheck: "false", autocapitalize: "off" });
const temperature = element("input", { id: "temperature", type: "range", min: 0, max: 2, step: 0.05, value: 0.5 });
const degrees = element("output", { for: "temperature" });
const length = element("input", { id: "length", type: "number", min: 1, max: LONGEST, value: 300, required: true });
const pace = select("pace", Object.entries(PACES), isStill ? "fast" : "frame");
const shading = select("shading", [["surprise", "surprise"], ["unit", "a unit"]], "surprise");
const layerOf = select("layer", layers.map((_, k) => [k, `layer ${k + 1}`]), 0);
const unitOf = element("input", { id: "unit", type: "number", min: 1, max: data.hiddens, value: 1, "aria-label": "unit" });
const start = element("button", { type: "submit", class: "main" }, "write");
const halt = element("button", { type: "button", disabled: true, onclick: () => end("stopped") }, "stop");
const mistake = element("p", { class: "bad", role: "alert" }), said = element("p", { class: "note said" });
const maps = layers.map((_, layer) => heatMap(layer, { hover: tell, pick: choose }));
let job = null, lit = null;

function select(id, options, value) {
  const made = element("select", { id }, ...options.map(([value, words]) => element("option", { value }, words)));
  made.value = value;
  return made;
}

function labelled(words, ...controls) {
  return element("label", {}, element("span", {}, words), ...controls);
}

// --- writing -----------------------------------------------------------------------------------

function write() {
  end();
  const { tokens, mistake: sentence } = encoded(prompt.value), wanted = Number(length.value);
  const isLength = Number.isInteger(wanted) && wanted >= 1 && wanted <= LONGEST;
  mistake.textContent = sentence ?? (isLength ? "" : `The length is a whole number from 1 to ${LONGEST}.`);
  if (mistake.textContent) return;
  const whole = tokens.length + wanted;
  beginText();
  maps.forEach((map) => map.begin(whole));
  job = { tokens, whole, t: 0, states: zeroState(), logits: null, before: -Infinity, began: performance.now() };
  halt.disabled = false;
  said.textContent = "";
  next(job);
}

function next(own) {
  requestAnimationFrame((now) => job === own && frame(now));  // not after another was begun
}

function frame(now) {
  const until = performance.now() + (pace.value === "fast" ? BUDGET : 0);
  if (pace.value !== "slow" || now - job.before >= SLOW) {
    job.before = now;
    do advance(); while (job.t < job.whole && performance.now() < until);
    maps.forEach((map) => map.follow());
  }
  if (job.t === job.whole) end("written");
  else next(job);
}

function advance() {
  const { t, tokens, logits } = job, isPrompt = t < tokens.length;
  const token = isPrompt ? tokens[t] : chosen(logits, Number(temperature.value));
  addToken(token, isPrompt, logits && -Math.log2(probability(logits, token)));
  Object.assign(job, step(token, job.states), { t: t + 1 });
  maps.forEach((map, layer) => map.add(job.states[layer][0]));
  shadeAt(t);
}

function end(how) {
  if (job && how) {
    const made = Math.max(0, job.t - job.tokens.length), seconds = (performance.now() - job.began) / 1000;
    const mean = surprises.slice(job.tokens.length).reduce((sum, bits) => sum + bits, 0) / (made || 1);
    said.textContent = `${made} ${data.isWords ? "words" : "characters"} ${how} in ${seconds.toFixed(1)} s, with ${mean.toFixed(2)} bits of surprise each.`;
  }
  job = null;
  halt.disabled = true;
}

// --- shades ------------------------------------------------------------------------------------

function shadeAt(t) {
  const map = maps[layerOf.value];
  shade(t, shading.value === "surprise" ? surpriseAt(t) : map.at(t, unitOf.value - 1));
}

function shadeAll() {
  const isUnit = shading.value === "unit";
  unitOf.value = Math.min(data.hiddens, Math.max(1, Math.round(unitOf.value) || 1));
  for (const own of [unitOf, layerOf]) own.hidden = !isUnit;
  layerOf.hidden ||= layers.length === 1;
  legend.className = isUnit && isBounded ? "legend unit" : "legend";
  legend.firstChild.textContent = isUnit ? (isBounded ? "−1" : "0") : "expected";
  legend.lastChild.textContent = isUnit ? (isBounded ? "+1" : "active") : `${MOST_BITS} bits`;
  maps.forEach((map, layer) => map.choose(isUnit && layer === Number(layerOf.value) ? unitOf.value - 1 : null));
  spans.forEach((_, t) => shadeAt(t));
}

function choose(layer, unit) {
  [shading.value, layerOf.value, unitOf.value] = ["unit", layer, unit + 1];
  shadeAll();
}

// What is under the pointer: of a picture a token and a unit, of the text a token.
function tell(layer, t = null, unit = null) {
  const isThere = t !== null && t < spans.length;
  maps.forEach((map) => map.mark(isThere ? t : null));
  lit?.classList.remove("lit");
  lit = isThere ? spans[t] : null;
  lit?.classList.add("lit");
  if (!isThere) return;
  const value = unit === null ? "" : ` Unit ${unit + 1}${layers.length > 1 ? ` of layer ${layer + 1}` : ""}: ${(maps[layer].at(t, unit) * maps[layer].scale).toFixed(2)}; click to shade the text by it.`;
  said.textContent = `${wordsOf(t)}.${value}`;
}

// --- the page ----------------------------------------------------------------------------------

const legend = element("span", { class: "legend" }, element("span"), element("i"), element("span"));
const controls = element("form", { class: "controls" },
  labelled("Prompt", prompt),
  element("div", { class: "tools" },
    labelled("temperature ", temperature, degrees), labelled("length ", length), labelled("pace ", pace), start, halt));

document.querySelector("main").append(
  element("h1", {}, data.title),
  element("p", { class: "note" }, `${data.words}. It computes in this page: nothing is sent anywhere.`),
  controls, mistake,
  element("div", { class: "tools" }, labelled("shade by ", shading), layerOf, unitOf, legend),
  text, said,
  element("p", { class: "note" }, "Below, a column is a token and a row a unit: orange above zero, blue below. A click on a unit shades the text by it."),
  ...maps.flatMap((map, layer) => [element("h2", {}, layers.length > 1 ? `Units of layer ${layer + 1}` : "Units"), map.strip]),
);

prompt.value = data.prompt;
const showDegrees = () => (degrees.textContent = Number(temperature.value) ? Number(temperature.value).toFixed(2) : "0: the likeliest");
showDegrees();
shadeAll();
temperature.addEventListener("input", showDegrees);
for (const own of [shading, layerOf, unitOf]) own.addEventListener("change", shadeAll);
controls.addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
controls.noValidate = true;
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  write();
});
text.addEventListener("pointerover", (event) => event.target.dataset.t && tell(null, Number(event.target.dataset.t)));
text.addEventListener("pointerleave", () => tell(null));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => maps.forEach((map) => map.redraw()));
write();
