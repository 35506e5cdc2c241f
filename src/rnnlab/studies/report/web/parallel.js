// Parallel coordinates: a line for each row across its settings to where it ended. Drag along an axis
// to keep what passes there, in all pictures and in the table; click an axis to let go.

const parallel = section("All settings together", "A line for each row. Drag along an axis to keep what passes there; click it to let go.");
parallel.body.className = "wide";
const HIGH = 300, HIGHEST = 52, LOWEST = 256;  // of the picture, and of the axes' ends, in pixels
const LOST = 36, NONE = 278;  // where rows pass that diverged, and that have no such setting

function axesOf(rows) {
  return axisNames().filter((name) => name === MEASURE || new Set(allRuns.map((row) => row.settings[names.indexOf(name)])).size > 1)
    .map((name) => ({ name, ...axisScale(name, rows) }));
}

function axisScale(name) {
  const all = ofChosenText(view.fold === "yes" ? allGroups : allRuns);
  const found = all.map((row) => coordinate(name, row)).filter((value) => value !== null);
  if (name === MEASURE) {
    const { low, high } = endRange(all);
    return { y: logarithmic(low, high, LOWEST, HIGHEST), isList: false };
  }
  const k = names.indexOf(name), isList = !isContinuous(k);
  if (isList) {
    const scale = linear(0, Math.max(1, data.settings[k].values.length - 1), LOWEST, HIGHEST);
    return { y: scale, isList, ticks: data.settings[k].values.map((value, place) => [place, value[1]]) };
  }
  const distinct = [...new Set(found)], make = distinct.length > LISTED ? fitting : stepped;
  const y = make(distinct, LOWEST, HIGHEST);
  return { y, isList, ticks: y.ticks(6).map((value) => [value, figure(value)]) };
}

function renderParallel(rows) {
  const shown = ofChosenText(rows).filter((row) => !view.hide.has(row.key));
  const axes = axesOf(rows);
  parallel.whole.hidden = axes.length < 3 || !endRange(ofChosenText(allRuns)).count;
  if (parallel.whole.hidden) return;
  parallel.tools.replaceChildren(...(view.brush.size ? [element("button", { type: "button", onclick: () => change({ brush: new Map() }) }, "let go of all")] : []));
  const width = Math.max(parallel.body.clientWidth, 90 * axes.length);
  const x = places(axes.length, 20, width - 20);
  const svg = element("svg", { width, height: HIGH, viewBox: `0 0 ${width} ${HIGH}`, role: "img", "aria-label": "settings and perplexity of each row" });
  svg.style.maxWidth = "none";
  const { low, high } = endRange(shown), shade = high > low ? logarithmic(low, high, 0, 1) : () => 0;
  const colourOf = (row) => (typeof row.value === "number" ? ramp(shade(row.value)) : row.value === "diverged" ? "var(--bad)" : "var(--rest)");
  const drawn = new Map();
  for (const row of [...shown].reverse()) {
    const points = axes.map((axis, i) => [x(i), heightOn(axis, row)]).filter(([, y]) => y !== null)
      .map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`);
    if (points.length < 2) continue;
    const path = element("path", { class: "line", d: `M${points.join("L")}`, fill: "none", stroke: colourOf(row), "stroke-width": shown.length > 200 ? 0.7 : 1.5, "stroke-opacity": 0.8, "stroke-dasharray": row.value === "diverged" ? "2 3" : null });
    path.addEventListener("pointermove", (event) => showTip(event, row));
    path.addEventListener("pointerleave", hideTip);
    drawn.set(row.key, path);
    svg.append(path);
  }
  const lit = element("path", { fill: "none", stroke: "var(--ink)", "stroke-width": 3, "pointer-events": "none" });
  highlights.push((row) => lit.setAttribute("d", (row && drawn.get(row.key)?.getAttribute("d")) || ""));
  svg.append(lit, ...axes.flatMap((axis, i) => axisMarks(axis, x(i), i === axes.length - 1, shown)), ...axes.map((axis, i) => brushArea(svg, axis, x(i))));
  parallel.body.replaceChildren(svg);
}

function heightOn(axis, row) {
  if (axis.name === MEASURE && row.value === "diverged") return LOST;
  const value = coordinate(axis.name, row);
  if (value === null) return axis.name === MEASURE ? null : NONE;
  return Math.max(HIGHEST - 8, axis.y(value));
}

function axisMarks(axis, x, isLast, rows) {
  const ticks = axis.ticks ?? axis.y.ticks(6).map((value) => [value, figure(value)]);
  const places = rows.map((row) => heightOn(axis, row)), ends = [];
  if (places.includes(LOST)) ends.push(element("text", { class: "lost", x: x - 8, y: LOST + 4, "text-anchor": "end" }, "diverged"));
  if (places.includes(NONE)) ends.push(element("text", { class: "tick", x: x + 6, y: NONE + 12 }, "none"));
  const sparse = ticks.length > 18 ? ticks.filter((_, k) => k % Math.ceil(ticks.length / 18) === 0) : ticks;
  return [
    element("path", { class: "axis", d: `M${x} ${HIGHEST - 6}V${LOWEST + 6}` }),
    element("text", { x, y: 14, "text-anchor": isLast ? "end" : "middle", "font-weight": 600 }, axis.name === MEASURE ? data.measure : axis.name),
    ...ends,
    ...sparse.map(([value, words]) => element("text", {
      class: "tick", x: x + (isLast ? -6 : 6), y: axis.y(value) + 4, "text-anchor": isLast ? "end" : "start",
      stroke: "var(--paper)", "stroke-width": 4, "paint-order": "stroke",
    }, words.length > 14 ? `${words.slice(0, 13)}…` : words)),
  ];
}

function brushArea(svg, axis, x) {
  const group = element("g", { class: "brush", "data-axis": axis.name });
  const area = element("rect", { x: x - 14, y: HIGHEST - 8, width: 28, height: LOWEST - HIGHEST + 16, fill: "transparent" });
  area.style.cursor = "ns-resize";
  area.style.touchAction = "none";
  const mark = element("rect", { x: x - 7, width: 14, fill: "var(--ink)", "fill-opacity": 0.18, stroke: "var(--soft)", "pointer-events": "none" });
  const range = view.brush.get(axis.name);
  if (range) place(mark, ...range.map(axis.y));
  let began = null;
  const here = (event) => Math.min(LOWEST + 6, Math.max(HIGHEST - 6, event.clientY - svg.getBoundingClientRect().top));
  area.addEventListener("pointerdown", (event) => {
    began = here(event);
    area.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  area.addEventListener("pointermove", (event) => began !== null && place(mark, began, here(event)));
  area.addEventListener("pointerup", (event) => {
    if (began === null) return;
    const ends = [began, here(event)], brush = new Map(view.brush);
    began = null;
    if (Math.abs(ends[0] - ends[1]) < 4) brush.delete(axis.name);
    else brush.set(axis.name, ends.map(axis.y.invert).sort((a, b) => a - b));
    change({ brush });
  });
  group.append(mark, area);
  return group;
}

function place(mark, from, to) {
  mark.setAttribute("y", Math.min(from, to));
  mark.setAttribute("height", Math.max(1, Math.abs(from - to)));
}
