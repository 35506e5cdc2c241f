// The model: from a token and the states of all layers to the logits and the states after it.

const layers = layersOf(data), output = layers.pop(), stepOf = CELLS[data.form];
delete data.weights;

function zeroState() {
  const count = data.form === "lstm" ? 2 : 1;
  return layers.map(() => Array.from({ length: count }, () => new Float64Array(data.hiddens)));
}

function step(token, state) {
  let input = null;
  const states = layers.map((layer, k) => {
    const sums = Float64Array.from(layer.b_.numbers);
    if (k) addProduct(sums, input, layer.W_x);
    else addRow(sums, layer.W_x, token);
    const after = stepOf(sums, state[k], layer);
    [input] = after;
    return after;
  });
  const logits = Float64Array.from(output.b_q.numbers);
  addProduct(logits, input, output.W_hq);
  return { states, logits };
}

// What a one-hot vector picks.
function addRow(sums, { columns, numbers }, row) {
  for (let j = 0; j < columns; j++) sums[j] += numbers[row * columns + j];
}

// The likeliest token at temperature 0, else a draw: the arg max after Gumbel noise.
function chosen(logits, temperature) {
  let best = 0, most = -Infinity;
  for (let j = 0; j < logits.length; j++) {
    const noise = temperature ? -Math.log(-Math.log(Math.random())) : 0;
    const value = temperature ? logits[j] / temperature + noise : logits[j];
    if (value > most) [best, most] = [j, value];
  }
  return best;
}

// The probability that the model gave to a token.
function probability(logits, token) {
  const most = logits.reduce((a, b) => Math.max(a, b));
  return Math.exp(logits[token] - most) / logits.reduce((sum, value) => sum + Math.exp(value - most), 0);
}
