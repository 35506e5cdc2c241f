// The numbers of the model, from the text that they are stored as.

const TYPES = { fp16: Uint16Array, fp32: Float32Array, fp64: Float64Array };

function bytesOf(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// A half has one bit of sign, five of exponent and ten of fraction.
function ofHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

// Matrices {rows, columns, numbers} by their names, for each layer; the last is the output layer.
function layersOf({ weights, groups, type }) {
  const stored = new TYPES[type](bytesOf(weights).buffer);
  const numbers = type === "fp16" ? Float32Array.from(stored, ofHalf) : stored;
  const layers = [];
  let at = 0;
  for (const [layer, name, rows, columns] of groups) {
    layers[layer] ??= {};
    layers[layer][name] = { rows, columns, numbers: numbers.subarray(at, at + rows * columns) };
    at += rows * columns;
  }
  return layers;
}
