// From a prompt to tokens and back, by the rules of rnnlab/data: what was done to the text that the
// model was trained on is done to a prompt too.

const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;  // Python's
const index = new Map(data.vocabulary.map((token, i) => [token, i]));

// a-z and single spaces; lines are joined. A space at the prompt's own edge stays.
function inLetters(text) {
  const lines = text.split(/[\r\n]/).map((line) => line.replace(/[^A-Za-z]+/g, " ").replace(/^ | $/g, ""));
  const cleaned = lines.join("").toLowerCase();
  const before = text.startsWith(" ") ? " " : "", after = text.endsWith(" ") ? " " : "";
  return cleaned ? before + cleaned + after : before;
}

function inWords(text) {
  if (data.hasNewlines) text = text.replace(/\r\n?/g, "\n");
  if (data.hasLetters) text = text.replace(/[^A-Za-z\r\n]/g, " ").replace(/\r/g, "\n").toLowerCase();
  const words = data.hasNewlines ? text.split(/(\n)/).flatMap((part) => (part === "\n" ? part : part.split(SPACE))) : text.split(SPACE);
  return words.filter(Boolean);
}

// {tokens}, or {mistake}: a sentence.
function encoded(prompt) {
  const pieces = data.isWords ? inWords(prompt) : [...(data.hasLetters ? inLetters(prompt) : prompt)];
  if (!pieces.length) return { mistake: `The prompt needs at least one ${data.isWords ? "word" : data.hasLetters ? "letter" : "character"}.` };
  const unknown = [...new Set(pieces.filter((piece) => !index.has(piece)))];
  if (unknown.length) return { mistake: `${unknown.map((piece) => `“${piece}”`).join(", ")} ${unknown.length > 1 ? "are" : "is"} not in the model's vocabulary.` };
  return { tokens: pieces.map((piece) => index.get(piece)) };
}

// What stands between two tokens: words have a space, but at a line's end.
function between(left, right) {
  return data.isWords && left !== undefined && left !== "\n" && right !== "\n" ? " " : "";
}
