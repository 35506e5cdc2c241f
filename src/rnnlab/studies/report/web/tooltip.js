// What a row is, beside the pointer; and the row that all pictures bring out.

const tip = element("div", { id: "tooltip", role: "status", hidden: true });
document.body.append(tip);
const highlights = [];  // functions that bring a row out, or with null none

function light(row) {
  for (const bringOut of highlights) bringOut(row);
}

function showTip(event, row, extra = "") {
  const sample = Object.entries(row.runs[0].samples)[0];
  tip.replaceChildren(
    element("div", { class: "best" }, title(row)),
    element("div", {}, [extra, row.shown && `${data.measure} ${row.shown}`, row.seeds > 1 ? `${row.seeds} seeds` : ""].filter(Boolean).join("; ")),
    element("div", { class: row.status === "completed" ? "note" : "bad" }, [row.status, row.error].filter(Boolean).join(": ").slice(0, 200)),
    sample ? element("div", { class: "note" }, sample[1].slice(0, 120)) : null,
  );
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 14;
  const top = event.clientY + 14 + box.height > innerHeight ? event.clientY - box.height - 14 : event.clientY + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
  light(row);
}

function hideTip() {
  tip.hidden = true;
  light(null);
}
