// From values to places on a picture and back: linear, logarithmic, places side by side; and colours.

function linear(low, high, from, to) {
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const scale = (value) => from + ((value - low) / (high - low)) * (to - from);
  scale.invert = (place) => low + ((place - from) / (to - from)) * (high - low);
  scale.ticks = (count) => linearTicks(low, high, count);
  return scale;
}

function logarithmic(low, high, from, to) {
  if (low === high) [low, high] = [low / 1.2, high * 1.2];
  const inner = linear(Math.log(low), Math.log(high), from, to);
  const scale = (value) => inner(Math.log(value));
  scale.invert = (place) => Math.exp(inner.invert(place));
  scale.ticks = (count) => logTicks(low, high, count);
  return scale;
}

function stepped(values, from, to) {  // few numbers at equal distances; between them it is linear
  const sorted = [...values].sort((a, b) => a - b), last = sorted.length - 1;
  const height = linear(0, Math.max(1, last), from, to);
  const within = (low, high, value) => (high > low ? (value - low) / (high - low) : 0);
  const scale = (value) => {
    const k = Math.min(last - 1, Math.max(0, sorted.findIndex((each) => each >= value) - 1));
    return height(last ? Math.max(0, Math.min(last, k + within(sorted[k], sorted[k + 1], value))) : 0);
  };
  scale.invert = (place) => {
    const at = height.invert(place), k = Math.min(last - 1, Math.max(0, Math.floor(at)));
    return last ? sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]) : sorted[0];
  };
  scale.ticks = () => sorted;
  return scale;
}

function places(count, from, to) {  // the middles of `count` fields side by side
  const scale = (k) => from + ((k + 0.5) / count) * (to - from);
  scale.step = Math.abs(to - from) / count;
  scale.invert = (place) => ((place - from) / (to - from)) * count - 0.5;
  return scale;
}

function linearTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high * (1 + 1e-12); k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

function logTicks(low, high, count) {
  for (const within of [[1, 1.5, 2, 3, 4, 5, 7], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const k of within) {
        const tick = Number((k * 10 ** power).toPrecision(6));
        if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
      }
    }
    if (ticks.length <= count + 2 || within.length === 1) return ticks.length > 2 ? ticks : linearTicks(low, high, count);
  }
}

const LISTED = 12;  // values side by side; more numbers are points along an axis
const SIGNIFICANT_SPAN = 20;  // the largest value over the smallest, from where an axis is logarithmic
function fitting(numbers, from, to) {
  const [low, high] = extent(numbers);
  return low > 0 && high > SIGNIFICANT_SPAN * low ? logarithmic(low, high, from, to) : linear(low, high, from, to);
}

function extent(numbers) {
  let low = Infinity, high = -Infinity;
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low <= high ? [low, high] : [1, 2];
}

function median(numbers) {  // what diverged is Infinity
  const sorted = [...numbers].sort((a, b) => a - b), half = sorted.length / 2;
  return half ? (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2 : NaN;
}

function mean(numbers) {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

// viridis, cut where it would vanish in the paper: 0 is best and strongest, 1 is worst
const LIGHT = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39"];
const DARK = ["#fde725", "#a0da39", "#4ac16d", "#1fa187", "#2f8f9d", "#4f78a8", "#6d62a8"];
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

function ramp(share) {
  const colours = isDark() ? DARK : LIGHT;
  const place = Math.min(1, Math.max(0, share)) * (colours.length - 1);
  const k = Math.min(colours.length - 2, Math.floor(place));
  const [low, high] = [channels(colours[k]), channels(colours[k + 1])];
  return `rgb(${low.map((value, i) => Math.round(value + (place - k) * (high[i] - value))).join(",")})`;
}

function channels(colour) {
  return colour.startsWith("#")
    ? [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16))
    : colour.match(/\d+/g).map(Number);
}

function inkOn(colour) {
  const [red, green, blue] = channels(colour);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#111" : "#fff";
}
