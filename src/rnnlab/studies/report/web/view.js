// What is selected, which is in the address: a view can be sent. `change` is the only way to alter it.

const hasSeeds = data.groups.some((group) => group.runs.length > 1);
const USUAL = {
  find: "",                            // words that a row must have: see rows.js
  without: "",                         // statuses that are not shown
  fold: hasSeeds ? "yes" : "no",       // runs that differ in their seed only are one row
  sort: "",                            // a column, with - before it the other way round
  scale: "log",                        // of perplexity
  training: "yes", held_out: "yes",    // curves
  colour: "rank",                      // or a setting
  text: "0",                           // which one the pictures of settings are of
  heat: "0",                           // which pair of settings
};
const view = { ...USUAL, hide: new Set(), brush: new Map() };
let lastWritten = null;

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(USUAL)) view[name] = words.get(name) ?? USUAL[name];
  view.hide = new Set(words.getAll("hide"));
  view.brush = new Map();
  for (const text of words.getAll("brush")) {
    const [name, low, high] = text.split(" ");
    if (axisNames().includes(name) && Number(low) <= Number(high)) view.brush.set(name, [Number(low), Number(high)]);
  }
}

function writeAddress() {
  const words = new URLSearchParams();
  for (const name of Object.keys(USUAL)) if (view[name] !== USUAL[name]) words.set(name, view[name]);
  for (const key of view.hide) words.append("hide", key);
  for (const [name, range] of view.brush) words.append("brush", [name, ...range.map((edge) => edge.toPrecision(4))].join(" "));
  lastWritten = `#${words}`;
  location.replace(lastWritten);  // no entry in the history, and allowed for files too
}

function change(changes) {
  Object.assign(view, changes);
  writeAddress();
  render(Object.keys(changes));
}

function flip(set, key) {
  const flipped = new Set(set);
  if (!flipped.delete(key)) flipped.add(key);
  return flipped;
}
