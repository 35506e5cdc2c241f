// Perplexity over epochs, and whatever else is logged: a line for each row, of several seeds their
// mean, and a band from the lowest to the highest. The best rows have colours, the others are grey.

const BEYOND = 30;         // times the lowest perplexity is shown: what explodes leaves the picture
const MOST_DRAWN = 60000;  // points; longer pages draw every k-th
const MOST_NAMED = 3;      // floors
const NEAR = 24;           // pixels from a line at which it is meant
const DASHED = "5 3";
const UNNAMED = ["var(--rest)", "var(--bad)"];  // colours of many lines, each of them one path

function lineOf(row, name) {
  row.lines ??= {};
  row.lines[name] ??= row.runs.length === 1 ? single(...row.runs[0].curves[name]) : folded(row.runs.map((run) => run.curves[name]));
  return row.lines[name];
}

function single(x, y) {
  return { x, y, low: y, high: y };
}

function folded(curves) {
  const found = new Map();
  for (const [x, y] of curves) x.forEach((epoch, i) => found.set(epoch, [...(found.get(epoch) ?? []), y[i]]));
  const epochs = [...found.keys()].sort((a, b) => a - b);
  const values = epochs.map((epoch) => found.get(epoch));
  return {
    x: epochs, y: values.map(mean),
    low: values.map((own) => Math.min(...own)), high: values.map((own) => Math.max(...own)),
  };
}

function pathOf(xs, ys, x, y, every = 1) {
  let path = "";
  for (let i = 0; i < xs.length; i += i + every < xs.length || i === xs.length - 1 ? every : xs.length - 1 - i) {
    path += `${path ? "L" : "M"}${x(xs[i]).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
  }
  return path;
}

function bandOf(line, x, y) {
  const back = line.x.map((_, i) => line.x.length - 1 - i);
  return `${pathOf(line.x, line.high, x, y)}L${back.map((i) => `${x(line.x[i]).toFixed(1)} ${y(line.low[i]).toFixed(1)}`).join("L")}Z`;
}

// A frame with axes. `scaleY(from, to)` makes the vertical scale between two heights.
function frame(body, { height, x: [first, last], scaleY, label, left = 46 }) {
  const width = Math.max(240, body.clientWidth);
  const x = linear(first, last, left, width - 8);
  x.ends = [left, width - 8];
  const y = scaleY(height - 34, 10);
  const id = `clip-${frame.count = (frame.count ?? 0) + 1}`;
  const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    element("clipPath", { id }, element("rect", { x: left, y: 4, width: width - left - 2, height: height - 36 })));
  for (const tick of y.ticks(6)) {
    svg.append(element("path", { class: "grid", d: `M${left} ${y(tick)}H${width - 8}` }),
      element("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, figure(tick)));
  }
  for (const tick of x.ticks(width / 90).filter(Number.isInteger)) {
    svg.append(element("text", { class: "tick", x: x(tick), y: height - 18, "text-anchor": "middle" }, String(tick)));
  }
  svg.append(element("path", { class: "axis", d: `M${left} ${height - 34}H${width - 8}` }),
    element("text", { class: "soft", x: width - 8, y: height - 3, "text-anchor": "end" }, "epoch"));
  const inside = element("g", { "clip-path": `url(#${id})` });
  svg.append(inside);
  body.replaceChildren(svg);
  return { svg, inside, x, y, width };
}

// Lines of rows, with what brings one out and says what it is.
function drawLines(body, lines, colour, options) {
  const { svg, inside, x, y } = frame(body, options);
  const floors = options.floors ?? [];
  drawFloors(svg, x.ends, y, floors, floors.length <= MOST_NAMED);
  const points = lines.reduce((sum, line) => sum + line.x.length, 0), every = Math.ceil(points / MOST_DRAWN);
  const named = lines.filter((line) => !UNNAMED.includes(colour(line.row))).reverse();  // the best on top
  for (const stroke of UNNAMED) {
    for (const dash of [null, DASHED]) {
      const own = lines.filter((line) => line.dash === dash && colour(line.row) === stroke);
      const d = own.map((line) => pathOf(line.x, line.y, x, y, every)).join("");
      if (d) inside.append(element("path", { d, fill: "none", stroke, "stroke-width": 0.8, "stroke-opacity": 0.7, "stroke-dasharray": dash }));
    }
  }
  const thick = named.length > 60 ? 0.8 : 1.7;
  for (const line of named) {
    const own = { stroke: colour(line.row), fill: "none", "stroke-width": thick, "stroke-dasharray": line.dash };
    if (line.row.runs.length > 1 && named.length <= 2 * COLOURS) inside.append(element("path", { d: bandOf(line, x, y), fill: colour(line.row), "fill-opacity": 0.15 }));
    if (line.x.length === 1) inside.append(element("circle", { cx: x(line.x[0]), cy: y(line.y[0]), r: 3, fill: colour(line.row) }));
    else inside.append(element("path", { ...own, d: pathOf(line.x, line.y, x, y, every) }));
  }
  const lit = element("g", { "pointer-events": "none" });
  inside.append(lit);
  highlights.push((row) => lit.replaceChildren(...lines.filter((line) => row && line.row.key === row.key).map((line) =>
    element("path", { d: pathOf(line.x, line.y, x, y), fill: "none", stroke: "var(--ink)", "stroke-width": 2.6, "stroke-dasharray": line.dash }))));
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    const near = nearest(lines, x.invert(px), (value) => Math.abs(y(value) - py));
    if (near) showTip(event, near.line.row, `epoch ${near.line.x[near.i]}: ${figure(near.line.y[near.i])}${near.line.dash ? " held out" : ""}`);
    else hideTip();
  });
  svg.addEventListener("pointerleave", hideTip);
}

function floorsOf(rows) {
  return [...new Set(rows.flatMap((row) => row.floor ?? []))];
}

function floorWords(floors) {
  return floors.length ? [`dotted: the floor${floors.length > 1 ? "s" : ""}, below which no model stays`] : [];
}

function drawFloors(svg, [left, right], y, floors, areNamed = false) {  // what the text lets no model go below
  for (const floor of floors) {
    svg.append(element("path", { class: "floor", d: `M${left} ${y(floor).toFixed(1)}H${right}` }));
    if (areNamed) svg.append(element("text", { class: "soft", x: right, y: y(floor) - 5, "text-anchor": "end" }, `floor ${figure(floor)}`));
  }
}

function nearest(lines, epoch, distance) {
  let best = null, least = NEAR;
  for (const line of lines) {
    const i = closest(line.x, epoch);
    const away = i < 0 ? Infinity : distance(line.y[i]);
    if (away < least) [least, best] = [away, { line, i }];
  }
  return best;
}

function closest(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle;
    else high = middle;
  }
  return high > 0 && value - sorted[low] > sorted[high] - value ? high : low - (sorted.length === 0);
}

const curves = section("Perplexity while training");
const picture = element("figure"), legend = element("ul", { class: "legend" });
curves.body.className = "chart";
curves.body.append(picture, legend);

function renderCurves(rows) {
  const shown = rows.filter((row) => !view.hide.has(row.key)), colour = colouring(rows);
  const hasHeldOut = data.runs.some((run) => run.curves.val_perplexity[0].length);
  const lines = [];
  for (const [name, key, dash] of [["perplexity", "training", null], ["val_perplexity", "held_out", DASHED]]) {
    if (view[key] !== "yes" && hasHeldOut) continue;
    for (const row of shown) {
      const line = lineOf(row, name);
      if (line.x.length) lines.push({ row, dash, ...line });
    }
  }
  const values = lines.flatMap((line) => [Math.min(...line.low), Math.max(...line.high)]);
  const floors = floorsOf(shown);
  const [low, high] = extent([...values, ...floors]), solid = lines.filter((line) => !line.dash);
  const [, begun] = extent((solid.length ? solid : lines).map((line) => line.y[0]));
  const top = Math.min(high, BEYOND * low, Math.max(1.5 * begun, 1.1 * low));
  const [first, last] = extent(lines.flatMap((line) => [line.x[0], line.x.at(-1)]));
  const make = view.scale === "log" ? logarithmic : linear;
  drawLines(picture, lines, colour, {
    height: Math.min(430, Math.max(260, picture.clientWidth * 0.5)),
    x: [first, last], scaleY: (from, to) => make(low * 0.97, top * 1.02, from, to), label: "perplexity over epochs", floors,
  });
  curves.sentence.textContent = [
    hasHeldOut ? "Solid: training; dashed: held out." : "On the text that was trained on.",
    rows.some((row) => row.runs.length > 1) ? "Mean over seeds; the band reaches from the lowest seed to the highest." : "",
    ...floorWords(floors).map((words) => `${words[0].toUpperCase()}${words.slice(1)}.`),
    high > top ? `Above ${figure(top, 2)} it is not drawn.` : "",
    view.colour === "rank" && rows.length > COLOURS ? `Colours: the ${COLOURS} best by ${data.measure}; grey: the others; red: diverged.` : "",
  ].filter(Boolean).join(" ");
  curves.tools.replaceChildren(...curveTools(hasHeldOut));
  renderLegend(rows, colour);
}

function curveTools(hasHeldOut) {
  const shades = [["rank", "the best"], ...axisNames().filter((name) => name !== MEASURE).map((name) => [name, name])];
  return [
    toggle("logarithmic", view.scale === "log", (on) => change({ scale: on ? "log" : "linear" })),
    ...(hasHeldOut ? [
      toggle("training", view.training === "yes", (on) => change({ training: on ? "yes" : "no" })),
      toggle("held out", view.held_out === "yes", (on) => change({ held_out: on ? "yes" : "no" })),
    ] : []),
    ...(shades.length > 1 ? [choice("colour", shades, view.colour, (colour) => change({ colour }))] : []),
  ];
}

function renderLegend(rows, colour) {
  const items = rows.map((row) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = colour(row);
    const item = element("li", {}, element("button", {
      type: "button", class: view.hide.has(row.key) ? "off" : null, "aria-pressed": null,
      title: "click: hide or show; double click: this one alone",
      onclick: () => change({ hide: flip(view.hide, row.key) }),
      ondblclick: () => change({ hide: new Set(rows.filter((other) => other !== row).map((other) => other.key)) }),
    }, swatch, element("span", { class: "words" }, title(row)), element("span", {}, row.shown || row.status)));
    item.addEventListener("pointerenter", () => light(row));
    item.addEventListener("pointerleave", () => light(null));
    row.item = item;
    return item;
  });
  legend.replaceChildren(...items);
}
highlights.push((row) => {
  for (const lit of legend.querySelectorAll(".lit")) lit.classList.remove("lit");
  if (row?.item) row.item.classList.add("lit");
});
