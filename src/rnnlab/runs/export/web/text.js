// The text as it is written: a span a token, with a shade behind it.

const MOST_BITS = 6;  // of surprise; what is beyond has the same shade
const text = element("div", { id: "text", class: "written" });
const spans = [], surprises = [];

function beginText() {
  spans.length = surprises.length = 0;
  text.replaceChildren();
}

function addToken(token, isPrompt, bits) {
  const word = data.vocabulary[token], last = spans.at(-1)?.textContent;
  const span = element("span", { class: isPrompt ? "prompt" : null }, word);
  span.dataset.t = spans.length;
  text.append(between(last, word), span);
  spans.push(span);
  surprises.push(bits);
}

// `value` from -1 to 1, blue to orange.
function shade(t, value) {
  spans[t].style.setProperty("--shade", `${(65 * Math.min(1, Math.abs(value || 0))).toFixed(1)}%`);
  spans[t].style.setProperty("--hue", `var(--c${value > 0 ? 1 : 0})`);
}

function surpriseAt(t) {
  return (surprises[t] ?? 0) / MOST_BITS;
}

function visible(word) {
  return word === "\n" ? "line end" : word === " " ? "space" : `“${word}”`;
}

function wordsOf(t) {
  const bits = surprises[t], word = visible(spans[t].textContent);
  if (bits === null) return `${word}: the first token`;
  return `${word}: probability ${(2 ** -bits).toPrecision(2)}, a surprise of ${bits.toFixed(1)} bits`;
}
