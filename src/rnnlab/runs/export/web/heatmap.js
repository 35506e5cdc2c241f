// The units of a layer over time: a column a token, a row a unit; orange above zero, blue below.

const MOST_HIGH = 512, LEAST_WIDE = 2;  // pixels: of all units, of a token
const isBounded = data.form !== "rnn_relu";

const style = () => getComputedStyle(document.documentElement);
const colour = (name) => style().getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));

function heatMap(layer, { hover, pick }) {
  const H = data.hiddens, rows = H > MOST_HIGH ? MOST_HIGH : Math.max(1, Math.floor(256 / H)) * H;
  const canvas = element("canvas", { height: H, role: "img", "aria-label": `units of layer ${layer + 1} over time` });
  const column = element("div", { class: "column", hidden: true }), row = element("div", { class: "row", hidden: true });
  const inside = element("div", { class: "inside" }, canvas, column, row), strip = element("div", { class: "strip" }, inside);
  const map = { values: new Float32Array(0), scale: 1, length: 0, done: 0, strip };
  const pen = canvas.getContext("2d"), pixels = pen.createImageData(1, H);
  let [above, below] = [[], []];
  canvas.style.height = `${rows}px`;

  map.begin = (length) => {
    Object.assign(map, { values: new Float32Array(length * H), scale: isBounded ? 1 : 1e-6, length, done: 0 });
    canvas.width = length;
    canvas.style.width = `${Math.max(strip.clientWidth, LEAST_WIDE * length)}px`;
    [above, below] = [colour("--c1"), colour("--c0")];
    strip.scrollLeft = 0;
    map.mark(null);
  };
  map.add = (H_t) => {
    map.values.set(H_t, map.done * H);
    const most = H_t.reduce((a, b) => Math.max(a, b), 0);
    map.done += 1;
    if (!isBounded && most > map.scale) {
      map.scale = 1.25 * most;
      map.redraw();
    } else draw(map.done - 1);
  };
  map.redraw = () => {
    [above, below] = [colour("--c1"), colour("--c0")];
    for (let t = 0; t < map.done; t++) draw(t);
  };
  map.follow = () => {
    const end = map.done / map.length * inside.clientWidth;
    if (end > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = end - strip.clientWidth;
  };
  map.at = (t, unit) => map.values[t * H + unit] / map.scale;
  map.mark = (t) => {
    column.hidden = t === null;
    Object.assign(column.style, { left: `${100 * t / map.length}%`, width: `${100 / map.length}%` });
  };
  map.choose = (unit) => {
    row.hidden = unit === null;
    Object.assign(row.style, { top: `${100 * unit / H}%`, height: `${100 / H}%` });
  };

  // What is zero shows the paper, in the light and in the dark.
  function draw(t) {
    for (let k = 0; k < H; k++) {
      const value = map.at(t, k);
      pixels.data.set(value > 0 ? above : below, 4 * k);
      pixels.data[4 * k + 3] = 255 * Math.min(1, Math.abs(value));
    }
    pen.putImageData(pixels, t, 0);
  }
  function meant(event) {
    const box = canvas.getBoundingClientRect(), part = (value, size, count) => Math.min(count - 1, Math.max(0, Math.floor(value / size * count)));
    return [part(event.clientX - box.left, box.width, map.length), part(event.clientY - box.top, box.height, H)];
  }
  canvas.addEventListener("pointermove", (event) => hover(layer, ...meant(event)));
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("click", (event) => pick(layer, meant(event)[1]));
  return map;
}
