// The page from top to bottom, and what is drawn again when something is selected.

const STATUSES = ["completed", "diverged", "failed", "interrupted", "running"];
const example = names.filter((name) => name !== "seed").slice(0, 2).map((name) => `${name}=${typed(names.indexOf(name), 0)}`);
const find = element("input", { type: "search", placeholder: `find: ${[...example, "diverged"].join(" ")}`, "aria-label": "find" });
const bar = element("div", { class: "bar" });

function head() {
  return [
    element("h1", {}, data.title),
    element("p", {}, data.overview),
    data.shared ? element("p", { class: "note" }, `All have ${data.shared}.`) : null,
    data.differences.length ? element("p", {}, element("span", { class: "best" }, "They differ in "), data.differences.join("; ")) : null,
    ...data.best.flatMap((best) => [element("p", { class: "best" }, best.words), command(best.command)]),
    ...data.troubles.map((sentence) => element("p", { class: "bad" }, sentence)),
    element("p", { class: "note" }, `Written ${data.written}${data.is_watched ? "; looks for news by itself" : ""}.`),
    bar,
  ].filter(Boolean);
}

function renderBar() {
  const present = STATUSES.filter((status) => data.runs.some((run) => run.status === status));
  const without = new Set(view.without.split(",").filter(Boolean));
  if (document.activeElement !== find) find.value = view.find;
  const tools = [
    ...(present.length > 1 ? present.map((status) => toggle(status, !without.has(status), () => change({ without: [...flip(without, status)].join(",") }))) : []),
    ...(hasSeeds ? [toggle("fold seeds", view.fold === "yes", (on) => change({ fold: on ? "yes" : "no", hide: new Set() }), "runs that differ in their seed only are one row")] : []),
    counted,
    element("button", { type: "button", onclick: reset }, "reset"),
  ];
  for (const old of [...bar.children]) if (old !== find) old.remove();
  bar.append(...tools);
}

function reset() {
  find.value = "";
  change({ ...USUAL, hide: new Set(), brush: new Map() });
}

function render(changed) {
  const rows = chosenRows();
  if (changed?.length === 1 && changed[0] === "sort") return renderTable(rows);
  hideTip();
  highlights.length = 1;  // the legend's; each picture below adds its own
  renderBar();
  renderCurves(rows);
  renderTable(rows);
  renderEffects(rows);
  renderParallel(rows);
  renderHeat(rows);
  renderClipping(rows);
  renderTexts(rows);
  renderTroubles(rows);
}

document.querySelector("main").prepend(...head());
bar.append(find);
bar.hidden = data.runs.length < 2;
curves.whole.after(...[runsTable, effects, parallel, heat, clipping, texts, troubles].map((own) => own.whole));
find.addEventListener("input", () => change({ find: find.value }));
addEventListener("hashchange", () => {
  if (location.hash === lastWritten) return;
  readAddress();
  render();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) render();
  width = innerWidth;
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render());
readAddress();
render();
if (data.is_watched) setTimeout(() => location.reload(), 10000);
