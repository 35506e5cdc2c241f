// All rows, sorted by any column. Lines are made as one scrolls to them: a browser takes half a second
// to lay a thousand out.

const AT_ONCE = 150;  // lines
const MOST_LINKS = 10;  // to the runs of a setting

const runsTable = section("Runs");
const frameOfRows = element("div", { class: "rows", tabindex: "0" });
runsTable.body.append(frameOfRows);
const counted = element("span", { class: "note", id: "counted" });

function columns() {
  const hasHeldOut = data.runs.some((run) => run.held_out !== null);
  const figures = [["training", "training perplexity"], ...(hasHeldOut ? [["held_out", "held-out perplexity"]] : [])];
  figures.sort(([key]) => (key === measure ? -1 : 1));
  return [
    view.fold === "yes" && hasSeeds
      ? { name: "seeds", value: (row) => row.seeds, cell: seedsCell }
      : { name: "run", value: (row) => row.number ?? row.key, cell: nameCell },
    { name: "status", value: (row) => row.status, cell: (row) => element("td", { class: row.status === "completed" ? null : "bad", title: row.error }, row.status) },
    ...figures.map(([key, words]) => figureColumn(key, words)),
    ...names.filter((name) => name !== "seed" || view.fold !== "yes").map((name) => settingColumn(name, names.indexOf(name))),
    ...(data.texts.length > 1 ? [{ name: "text", value: (row) => row.text, cell: (row) => element("td", {}, data.texts[row.text] ?? "") }] : []),
    figureColumn("best", "lowest of any epoch"),
    ...(data.runs.some((run) => run.excess !== null) ? [numberColumn("excess", "nats above the floor", (row) => row.excess)] : []),
    ...[...new Set(data.runs.flatMap((run) => Object.keys(run.lengths)))].map((name) => numberColumn(name, name, (row) => row.lengths[name] ?? null)),
    numberColumn("epochs", "epochs", (row) => row.epochs),
    ...(data.runs.some((run) => run.clipped) ? [numberColumn("clipped", "share clipped", (row) => row.clipped)] : []),
    numberColumn("seconds", "seconds", (row) => row.seconds),
    { name: "command", cell: (row) => element("td", {}, row.command ? copyButton(row.command) : "") },
  ];
}

function nameCell(row) {
  return element("td", { class: "text", title: row.name }, element("a", { href: row.runs[0].link }, row.name));
}

function seedsCell(row) {  // each leads to its run
  const k = names.indexOf("seed");
  const links = row.runs.slice(0, MOST_LINKS).map((run) => element("a", { href: run.link, title: run.name }, typed(k, run.settings[k]) || run.name));
  const rest = row.runs.length > MOST_LINKS ? ` and ${row.runs.length - MOST_LINKS} more` : "";
  return element("td", { class: "text" }, ...links.flatMap((link, i) => (i ? [" ", link] : [link])), rest);
}

function settingColumn(name, k) {
  const isNumber = isContinuous(k);
  return {
    name, isNumber,
    value: (row) => (row.settings[k] < 0 ? null : isNumber ? number(k, row.settings[k]) : row.settings[k]),
    cell: (row) => element("td", { class: isNumber ? "number" : "text", title: typed(k, row.settings[k]) }, row.settings[k] < 0 ? "" : brief(k, row.settings[k])),
  };
}

function numberColumn(name, words, value) {
  return { name, words, value, isNumber: true, cell: (row) => element("td", { class: "number" }, figure(value(row))) };
}

function figureColumn(key, words) {
  const counts = key === measure;
  return {
    name: key, words, isNumber: true,
    value: (row) => (counts && row.value === "diverged" ? 1e300 : row[key]),
    cell: (row) => element("td", { class: "number" }, counts && row.shown ? row.shown : figure(row[key])),
  };
}

let lines = new Map();  // of the table, by rows' keys
let ofWhat = "";
let more = () => {};  // makes so many lines more
frameOfRows.addEventListener("scroll", () => {
  const { scrollTop, clientHeight, scrollHeight } = frameOfRows;
  if (scrollTop + 2 * clientHeight > scrollHeight) more(AT_ONCE);
});
addEventListener("beforeprint", () => more(Infinity));

function renderTable(rows) {
  const own = columns();
  if (ofWhat !== view.fold) {
    ofWhat = view.fold;
    lines = new Map();
  }
  const descending = view.sort.startsWith("-"), by = own.find((column) => column.name === view.sort.replace("-", "") && column.value);
  const sorted = by ? sortedBy(rows, by.value, descending) : rows;
  const body = element("tbody");
  more = (count) => body.append(...sorted.slice(body.children.length, body.children.length + count).map((row) => lineFor(row, own)));
  more(AT_ONCE);
  const head = element("tr", {}, ...own.map((column) => headCell(column, by, descending)));
  frameOfRows.replaceChildren(element("table", {}, element("thead", {}, head), body));
  const total = view.fold === "yes" ? allGroups.length : allRuns.length;
  counted.textContent = `${rows.length} of ${total} ${view.fold === "yes" && hasSeeds ? "settings" : "runs"} shown`;
}

function lineFor(row, own) {
  if (!lines.has(row.key)) {
    const line = element("tr", {}, ...own.map((column) => column.cell(row)));
    line.addEventListener("pointerenter", () => light(row));
    line.addEventListener("pointerleave", () => light(null));
    lines.set(row.key, line);
  }
  return lines.get(row.key);
}

function headCell(column, by, descending) {
  const words = column.words ?? column.name, isBy = column === by;
  const next = isBy && !descending ? `-${column.name}` : column.name;
  const mark = isBy ? (descending ? " ↓" : " ↑") : "";
  return element("th", { class: column.isNumber ? "number" : null, "aria-sort": isBy ? (descending ? "descending" : "ascending") : null },
    column.value ? element("button", { type: "button", onclick: () => change({ sort: next }) }, words + mark) : words);
}

function sortedBy(rows, value, descending) {  // what has none stays at the end
  const keyed = rows.map((row) => [value(row) ?? null, row]);
  const sign = descending ? -1 : 1;
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return a < b ? -sign : a > b ? sign : 0;
  });
  return keyed.map(([, row]) => row);
}
