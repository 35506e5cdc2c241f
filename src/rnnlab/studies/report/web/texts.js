// What the models write, side by side, and why runs did not complete.

const MOST_TEXTS = 12;
const texts = section("What they write");
const troubles = section("Not completed");

function renderTexts(rows) {
  const own = rows.filter((row) => !view.hide.has(row.key) && Object.keys(row.runs[0].samples).length);
  texts.whole.hidden = !own.length;
  texts.sentence.textContent = own.length > MOST_TEXTS ? `Of the ${MOST_TEXTS} best that are shown.` : "";
  texts.body.className = "texts";
  texts.body.replaceChildren(...own.slice(0, MOST_TEXTS).map((row) => element("article", { class: "card" },
    element("h3", {}, title(row)),
    element("div", { class: "note" }, [row.shown && `${data.measure} ${row.shown}`, row.runs.length > 1 ? `text of the first of ${row.runs.length} seeds` : ""].filter(Boolean).join("; ")),
    ...Object.entries(row.runs[0].samples).map(([prefix, text]) => element("pre", {},
      element("span", { class: "prefix" }, text.startsWith(prefix) ? prefix : `${prefix} → `), text.startsWith(prefix) ? text.slice(prefix.length) : text)))));
}

function renderTroubles(rows) {
  const keys = new Set(rows.flatMap((row) => row.runs.map((run) => run.name)));
  const own = data.runs.filter((run) => keys.has(run.name) && !["completed", "running"].includes(run.status));
  troubles.whole.hidden = !own.length && !data.skipped.length;
  troubles.body.replaceChildren(
    ...own.slice(0, 100).map((run) => element("div", { class: "failure" },
      element("h3", {}, element("a", { href: run.link }, words(run.settings) || run.name), " ", element("span", { class: "bad" }, `${run.status} after ${run.epochs} epochs`)),
      run.error ? element("p", {}, run.error) : null,
      run.log.length ? element("pre", {}, run.log.join("\n")) : null)),
    ...(own.length > 100 ? [element("p", {}, `and ${own.length - 100} more`)] : []),
    ...data.skipped.map((sentence) => element("p", {}, `Not read: ${sentence}`)));
}
