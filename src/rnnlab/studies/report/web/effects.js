// What each setting does: where every row ended, over the setting's values. Categories and few numbers
// stand side by side with their medians; many numbers are points along an axis.

const PANELS = 12;
const TOP = 22, BOTTOM = 46, LEFT = 44;  // of a panel, in pixels; what diverged stands above it

const effects = section("What each setting does");
effects.body.className = "panels";

function ofChosenText(rows) {
  return rows.filter((row) => row.text === Number(view.text) || data.texts.length < 2);
}

function textChoice() {
  const texts = data.texts.map((name, k) => [String(k), name]);
  return data.texts.length > 1 ? [choice("on the text", texts, view.text, (text) => change({ text }))] : [];
}

function endRange(rows) {
  const ends = rows.map((row) => row.value).filter((value) => typeof value === "number");
  const [low, high] = extent(ends);
  return { low, high: Math.min(high, BEYOND * low), isCut: high > BEYOND * low, count: ends.length };
}

function renderEffects(rows) {
  const shown = ofChosenText(rows).filter((row) => !view.hide.has(row.key) && row.value !== null);
  const own = names.filter((name, k) => (name !== "seed" || names.length === 1) && hasRoom(k, shown));
  effects.whole.hidden = !own.length || !endRange(shown).count;
  effects.tools.replaceChildren(...textChoice());
  effects.sentence.textContent = effectWords(shown, own);
  effects.body.replaceChildren();
  const colour = colouring(rows);
  for (const name of own.slice(0, PANELS)) {
    const place = element("figure");
    effects.body.append(place);
    effectPanel(place, shown, names.indexOf(name), colour);
  }
}

function effectWords(rows, own) {
  const hasMedians = own.some((name) => new Set(rows.map((row) => row.settings[names.indexOf(name)])).size <= LISTED);
  const isMixed = own.length > 1 && !data.grids.length && rows.length < 2 * own.length + 2;
  return [
    `${data.measure} at the end, a point for each ${view.fold === "yes" && hasSeeds ? "setting, the mean over its seeds" : "run"}`,
    hasMedians ? "dashes are medians, and what diverged counts as worst" : "",
    ...floorWords(floorsOf(rows)),
    rows.some((row) => row.value === "diverged") ? "× above the frame: diverged" : "",
    isMixed ? "few runs for so many settings: a panel may show what another setting did" : "",
    own.length > PANELS ? `${own.length - PANELS} settings more are not drawn` : "",
  ].filter(Boolean).join("; ") + ".";
}

function hasRoom(k, rows) {
  const values = new Set(rows.map((row) => row.settings[k]));
  return values.size > 1 && (values.size <= LISTED || isContinuous(k));
}

function effectPanel(place, rows, k, colour) {
  const width = Math.max(220, place.clientWidth), height = 230;
  const { low: least, high } = endRange(rows), floors = floorsOf(rows), low = Math.min(least, ...floors);
  const y = (view.scale === "log" ? logarithmic : linear)(low * 0.97, high * 1.02, height - BOTTOM, TOP + 8);
  const present = [...new Set(rows.map((row) => row.settings[k]))].sort((a, b) => (a < 0) - (b < 0) || a - b);
  const isAlong = present.length > LISTED;
  const x = isAlong
    ? fitting(present.filter((p) => p >= 0).map((p) => number(k, p)), LEFT + 8, width - 12)
    : places(present.length, LEFT, width - 4);
  const xOf = (row) => (isAlong ? (row.settings[k] < 0 ? null : x(number(k, row.settings[k]))) : x(present.indexOf(row.settings[k])));
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${data.measure} over ${names[k]}` });
  for (const tick of y.ticks(5)) {
    svg.append(element("path", { class: "grid", d: `M${LEFT} ${y(tick)}H${width}` }),
      element("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, figure(tick)));
  }
  svg.append(element("path", { class: "axis", d: `M${LEFT} ${height - BOTTOM}H${width}` }),
    element("text", { x: (LEFT + width) / 2, y: height - 4, "text-anchor": "middle" }, names[k]));
  svg.append(...(isAlong ? x.ticks(width / 60).map((tick) => tickBelow(x(tick), height, figure(tick), 99)) : present.map((p, i) => tickBelow(x(i), height, brief(k, p), x.step))));
  drawFloors(svg, [LEFT, width], y, floors);
  for (const row of rows) {
    const cx = xOf(row);
    if (cx === null) continue;
    const mark = row.value === "diverged"
      ? element("path", { d: `M${cx - 4} ${TOP - 14}l8 8m0 -8l-8 8`, stroke: "var(--bad)", "stroke-width": 1.6 })
      : element("circle", { cx, cy: Math.max(TOP, y(row.value)), r: rows.length > 200 ? 2.2 : 3.6, fill: colour(row), "fill-opacity": 0.75 });
    mark.addEventListener("pointermove", (event) => showTip(event, row));
    mark.addEventListener("pointerleave", hideTip);
    svg.append(mark);
  }
  if (!isAlong) svg.append(...medians(rows, k, present, x, y));
  place.replaceChildren(svg);
}

function tickBelow(x, height, words, room) {
  const isWide = words.length * 6.6 > room, shown = words.length > 16 ? `${words.slice(0, 15)}…` : words;
  const at = { class: "tick", x, y: height - BOTTOM + 15, "text-anchor": isWide ? "end" : "middle", "font-size": isWide ? 10 : null };
  if (isWide) at.transform = `rotate(-22 ${x} ${height - BOTTOM + 12})`;
  return element("text", at, shown, shown === words ? null : element("title", {}, words));
}

function medians(rows, k, present, x, y) {
  const found = present.map((p) => median(rows.filter((row) => row.settings[k] === p).map((row) => (row.value === "diverged" ? Infinity : row.value))));
  const drawn = found.map((value, i) => [x(i), y(value), value, present[i]]).filter(([, , value]) => value <= y.invert(TOP));
  const numbers = drawn.filter(([, , , p]) => p >= 0);
  const joined = isContinuous(k) && numbers.length > 1 ? [element("path", { d: `M${numbers.map(([cx, cy]) => `${cx} ${cy}`).join("L")}`, fill: "none", stroke: "var(--soft)" })] : [];
  return [...joined, ...drawn.map(([cx, cy]) => element("path", { d: `M${cx - 11} ${cy}h22`, stroke: "var(--ink)", "stroke-width": 2 }))];
}
