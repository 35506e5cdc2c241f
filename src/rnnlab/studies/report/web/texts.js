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
    row.status === "completed" ? null : element("div", { class: "bad" }, row.status),
    element("div", { class: "note" }, [row.shown && `${data.measure} ${row.shown}`, row.runs.length > 1 ? `text of the first of ${row.runs.length} seeds` : ""].filter(Boolean).join("; ")),
    ...Object.entries(row.runs[0].samples).map(([prefix, text]) => sample(prefix, text)))));
}

function sample(prefix, text) {
  const goesOn = text.startsWith(prefix), own = goesOn ? text.slice(prefix.length) : text;
  return element("pre", {}, element("span", { class: "prefix" }, goesOn ? prefix : `${prefix} → `),
    own.trim() ? own : element("span", { class: "prefix" }, " (nothing but spaces)"));
}

function renderTroubles(rows) {
  const isLost = (run) => !["completed", "running"].includes(run.status);
  const own = rows.filter((row) => row.runs.some(isLost));
  troubles.whole.hidden = !own.length && !data.skipped.length;
  troubles.body.replaceChildren(
    ...own.slice(0, 100).map((row) => {
      const lost = row.runs.filter(isLost), first = lost[0];
      const many = row.runs.length > 1 ? `, ${lost.length} of ${row.runs.length} seeds` : "";
      return element("div", { class: "failure" },
        element("h3", {}, element("a", { href: first.link }, title(row)), " ", element("span", { class: "bad" }, `${first.status} after ${first.epochs} epochs${many}`)),
        first.error ? element("p", {}, first.error) : null,
        first.log.length ? element("pre", {}, first.log.join("\n")) : null);
    }),
    ...(own.length > 100 ? [element("p", {}, `and ${own.length - 100} more`)] : []),
    ...data.skipped.map((sentence) => element("p", {}, `Not read: ${sentence}`)));
}
