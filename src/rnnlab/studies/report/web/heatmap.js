// Two settings that form a grid: the median of all rows in a cell. A cell in which the median diverged
// is hatched, one that nobody trained is empty, and one without an end says how it stands.

const heat = section("Two settings together");
heat.body.className = "wide";
const HATCH = 6;  // pixels

function renderHeat(rows) {
  heat.whole.hidden = !data.grids.length;
  if (heat.whole.hidden) return;
  const pair = data.grids[Number(view.heat)] ?? data.grids[0];
  const shown = ofChosenText(rows).filter((row) => !view.hide.has(row.key));
  const pairs = data.grids.map((own, k) => [String(k), own.join(" and ")]);
  heat.tools.replaceChildren(...(pairs.length > 1 ? [choice("settings", pairs, view.heat, (value) => change({ heat: value }))] : []), ...textChoice());
  const others = axisNames().filter((name) => !pair.includes(name) && name !== MEASURE);
  heat.sentence.textContent = `${data.measure}${others.length ? `, median over ${others.join(", ")}` : ""}. Hatched: diverged; empty: not trained.`;
  drawHeat(shown, ...pair.map((name) => names.indexOf(name)));
}

function drawHeat(rows, rowSetting, columnSetting) {
  const [down, across] = [rowSetting, columnSetting].map((k) => valuesIn(k));
  const left = 30 + 7 * Math.max(...down.map((p) => brief(rowSetting, p).length), 2);
  const room = heat.body.clientWidth - left - 8, cell = Math.max(52, Math.min(96, room / across.length)), high = 34;
  const width = left + cell * across.length + 8, height = high * down.length + 44;
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${data.measure} over ${names[rowSetting]} and ${names[columnSetting]}` }, hatch());
  svg.style.maxWidth = "none";
  const cells = down.map((p) => across.map((q) => cellOf(rows.filter((row) => row.settings[rowSetting] === p && row.settings[columnSetting] === q))));
  const ends = cells.flat().map((own) => own.value).filter(Number.isFinite), [low, top] = extent(ends);
  const shade = top > low ? logarithmic(low, Math.min(top, BEYOND * low), 0, 1) : () => 0;
  cells.forEach((line, i) => line.forEach((own, j) => {
    const x = left + j * cell, y = high * (down.length - 1 - i) + 4;
    const colour = Number.isFinite(own.value) ? ramp(shade(own.value)) : null;
    const fill = colour ?? (own.value === Infinity ? "url(#hatch)" : "none");
    const box = element("rect", { x: x + 1, y: y + 1, width: cell - 2, height: high - 2, fill, stroke: colour ? null : "var(--line)", "stroke-dasharray": own.rows.length ? null : "3 3", "data-cell": own.words });
    const words = element("text", { x: x + cell / 2, y: y + high / 2 + 4, "text-anchor": "middle", "pointer-events": "none" }, own.words);
    words.style.fill = colour ? inkOn(colour) : "var(--soft)";
    if (own.rows.length) {
      box.addEventListener("pointermove", (event) => showTip(event, own.rows[0], own.rows.length > 1 ? `${own.rows.length} rows, the best of them` : ""));
      box.addEventListener("pointerleave", hideTip);
    }
    svg.append(box, words);
  }));
  across.forEach((q, j) => svg.append(element("text", { class: "tick", x: left + (j + 0.5) * cell, y: height - 24, "text-anchor": "middle" }, brief(columnSetting, q).slice(0, 14))));
  down.forEach((p, i) => svg.append(element("text", { class: "tick", x: left - 6, y: high * (down.length - 1 - i) + high / 2 + 8, "text-anchor": "end" }, brief(rowSetting, p).slice(0, 20))));
  svg.append(element("text", { x: left + (cell * across.length) / 2, y: height - 6, "text-anchor": "middle" }, names[columnSetting]),
    element("text", { x: 10, y: (high * down.length) / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${(high * down.length) / 2})` }, names[rowSetting]));
  heat.body.replaceChildren(svg);
}

function valuesIn(k) {
  const found = new Set(allRuns.map((row) => row.settings[k]));
  return [...found].sort((a, b) => (a < 0) - (b < 0) || a - b);
}

function cellOf(rows) {
  const ends = rows.filter((row) => row.value !== null).map((row) => (row.value === "diverged" ? Infinity : row.value));
  const value = median(ends);
  const words = Number.isFinite(value) ? figure(value) : value === Infinity ? "diverged" : rows.length ? rows[0].status : "";
  return { rows, value, words };
}

function hatch() {
  const pattern = element("pattern", { id: "hatch", width: HATCH, height: HATCH, patternUnits: "userSpaceOnUse" },
    element("path", { d: `M0 ${HATCH}L${HATCH} 0`, stroke: "var(--bad)", "stroke-width": 1, "stroke-opacity": 0.45 }));
  return element("defs", {}, pattern);
}
