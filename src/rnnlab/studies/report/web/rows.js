// A row is what stands in a line of the table and is a curve: a run, or the runs of one setting with
// all their seeds. Filters and brushes choose rows, and all pictures show the same ones.

const names = data.settings.map((setting) => setting.name);
const measure = data.measure === "held-out perplexity" ? "held_out" : "training";

const allRuns = data.runs.map((run, number) => ({
  ...run, key: run.name, runs: [run], shown: figure(run.value), order: orderOf(run.value), seeds: 1, number,
}));

const allGroups = data.groups.map((group) => {
  const runs = group.runs.map((number) => data.runs[number]);
  const first = runs[0];
  const seed = names.indexOf("seed");
  const settings = first.settings.map((place, k) => (k === seed && runs.length > 1 ? -1 : place));
  return {
    ...first, settings, runs, command: group.command, value: group.mean, shown: group.shown || "",
    order: orderOf(group.mean), seeds: runs.length, key: words(settings) || first.name,
    status: statusOf(runs),
    training: meanOf(runs, "training"), held_out: meanOf(runs, "held_out"), best: meanOf(runs, "best"),
    excess: meanOf(runs, "excess"), lengths: lengthsOf(runs),
    clipped: meanOf(runs, "clipped"), epochs: Math.max(...runs.map((run) => run.epochs)),
    seconds: meanOf(runs, "seconds"),
  };
});
const ranked = new Map([...allRuns].sort((a, b) => a.order - b.order).map((row, rank) => [row.key, rank]));

function orderOf(value) {  // what diverged comes after all figures, what has none yet at the end
  return value === null ? 1e301 : value === "diverged" ? 1e300 : value;
}

function meanOf(runs, name) {
  const found = runs.map((run) => run[name]).filter((value) => typeof value === "number");
  return found.length ? mean(found) : null;
}

function lengthsOf(runs) {
  const every = new Set(runs.flatMap((run) => Object.keys(run.lengths)));
  return Object.fromEntries([...every].map((name) => [name, meanOf(runs.map((run) => run.lengths), name)]));
}

function statusOf(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(run.status, (counts.get(run.status) ?? 0) + 1);
  return counts.size === 1 ? runs[0].status : [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
}

function typed(k, place) {
  return place < 0 ? "" : data.settings[k].values[place][0];
}

function brief(k, place) {
  return place < 0 ? "none" : data.settings[k].values[place][1];
}

function number(k, place) {
  return place < 0 ? null : data.settings[k].values[place][2];
}

function words(settings, tell = typed) {
  return settings.map((place, k) => (place < 0 ? "" : `${names[k]}=${tell(k, place)}`)).filter(Boolean).join(" ");
}

function title(row) {
  const k = names.indexOf("seed"), isOne = k >= 0 && row.seeds === 1 && hasSeeds && names.length > 1;
  return [row.title, isOne ? `seed=${typed(k, row.runs[0].settings[k])}` : ""].filter(Boolean).join(" ") || row.name;
}

// --- which of them are shown ---

function chosenRows() {
  const rows = view.fold === "yes" ? allGroups : allRuns;
  const without = new Set(view.without.split(",").filter(Boolean));
  const asked = view.find.split(/\s+/).filter(Boolean).map(condition);
  return rows
    .filter((row) => !row.runs.every((run) => without.has(run.status)))
    .filter((row) => asked.every((holds) => holds(row)))
    .filter(isBrushed)
    .sort((a, b) => a.order - b.order);
}

function condition(word) {  // lr=1, lr>=0.3, or a piece of what stands in the row
  const parts = word.match(/^([\w.]+)(<=|>=|!=|=|<|>)(.*)$/);
  const k = parts ? names.indexOf(parts[1]) : -1;
  if (k < 0) return (row) => haystack(row).includes(word.toLowerCase());
  const [, , how, wanted] = parts;
  return (row) => {
    const [own, value] = [typed(k, row.settings[k]), number(k, row.settings[k])];
    const isSame = own === wanted || (value !== null && wanted !== "" && value === Number(wanted));
    if (how === "=" || how === "!=") return isSame === (how === "=");
    if (value === null || wanted === "") return false;
    return { "<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted }[how];
  };
}

function haystack(row) {
  row.haystack ??= [words(row.settings), row.status, row.name, row.error, ...row.runs.map((run) => run.name)].join(" ").toLowerCase();
  return row.haystack;
}

// --- axes that one can brush: the settings, and what counts ---

const MEASURE = "perplexity";

function axisNames() {
  return [...names.filter((name) => name !== "seed" || names.length === 1), MEASURE];
}

function isContinuous(k) {  // numbers alone, so that their distances mean something
  return data.settings[k].values.every(([text, , value]) => value !== null || text === "");
}

function coordinate(name, row) {  // a number where the axis has numbers, else the value's place; null: none
  if (name === MEASURE) return typeof row.value === "number" ? row.value : null;
  const k = names.indexOf(name);
  if (row.settings[k] < 0) return null;
  return isContinuous(k) ? number(k, row.settings[k]) : row.settings[k];
}

function isBrushed(row) {
  for (const [name, [low, high]] of view.brush) {
    const place = coordinate(name, row);
    if (place === null || place < low * (1 - 1e-3) - 1e-12 || place > high * (1 + 1e-3) + 1e-12) return false;
  }
  return true;
}

// --- colours ---

const COLOURS = 8;

function colouring(rows) {
  if (view.colour === "rank") {
    const own = new Map(rows.filter((row) => hasCurve(row) && typeof row.value === "number").slice(0, COLOURS).map((row, k) => [row.key, `var(--c${k})`]));
    return (row) => own.get(row.key) ?? (row.value === "diverged" ? "var(--bad)" : "var(--rest)");
  }
  const k = names.indexOf(view.colour);
  if (k < 0) return () => "var(--c0)";
  const values = data.settings[k].values;
  if (!isContinuous(k)) return (row) => (row.settings[k] < 0 || row.settings[k] >= COLOURS ? "var(--rest)" : `var(--c${row.settings[k]})`);
  const scale = values.length > 12
    ? fitting(values.map((value) => value[2]).filter((value) => value !== null), 0, 1)
    : (value) => values.findIndex((own) => own[2] === value) / Math.max(1, values.length - 1);
  return (row) => (row.settings[k] < 0 ? "var(--rest)" : ramp(scale(number(k, row.settings[k]))));
}

function hasCurve(row) {
  return row.runs.some((run) => run.curves.perplexity[0].length || run.curves.val_perplexity[0].length);
}
