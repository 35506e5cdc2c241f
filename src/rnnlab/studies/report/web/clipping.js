// How often gradients were clipped, and how long they were: pictures where that varies, else a sentence.

const clipping = section("Clipping");
clipping.body.className = "pair";

function renderClipping(rows) {
  const shown = rows.filter((row) => !view.hide.has(row.key)), colour = colouring(rows);
  const shares = data.runs.flatMap((run) => run.curves.clipped_fraction[1]);
  clipping.whole.hidden = !shares.length;
  if (clipping.whole.hidden) return;
  const [least, most] = extent(shares);
  clipping.sentence.textContent = most === 0 ? "No step of any run was clipped." : least === 1 ? "Every step of every run was clipped."
    : "The share of an epoch's steps whose gradient was clipped, and the gradient's mean norm before clipping. Colours as above.";
  const sound = data.runs.filter((run) => run.status === "completed"), own = sound.length ? sound : data.runs;
  const norms = own.flatMap((run) => run.curves.gradient_norm[1]).filter((norm) => norm > 0);
  const drawn = [];
  if (most > 0 && least < 1) drawn.push(["clipped_fraction", "share of clipped steps", (from, to) => linear(0, 1, from, to)]);
  if (norms.length) drawn.push(["gradient_norm", "gradient norm", (from, to) => logarithmic(...extent(norms), from, to)]);
  const places = drawn.map(([, label]) => element("figure", {}, element("div", { class: "note" }, label), element("div")));
  clipping.body.replaceChildren(...places);
  drawn.forEach((own, k) => linesOver(places[k].lastChild, shown, colour, ...own));
}

function linesOver(body, rows, colour, name, label, scaleY) {
  const isPositive = (line) => name !== "gradient_norm" || Math.min(...line.low) > 0;
  const lines = rows.map((row) => ({ row, dash: null, ...lineOf(row, name) })).filter((line) => line.x.length && isPositive(line));
  const [first, last] = extent(lines.flatMap((line) => [line.x[0], line.x.at(-1)]));
  drawLines(body, lines, colour, { height: 220, x: [first, last], scaleY, label, left: 56 });
}
