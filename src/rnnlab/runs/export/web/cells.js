// A time step of each cell, as in rnnlab/nn/cells.py. `sums` has b + X W_x of all gates, one after
// the other; the first of the states is the layer's output.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// sums += x W, in these columns of W.
function addProduct(sums, x, { columns, numbers }, from = 0, to = columns) {
  for (let i = 0; i < x.length; i++) {
    const factor = x[i], row = i * columns;
    if (factor !== 0) for (let j = from; j < to; j++) sums[j] += factor * numbers[row + j];
  }
}

function elman(activation) {
  return (sums, [H], { W_h }) => {
    addProduct(sums, H, W_h);
    return [sums.map(activation)];
  };
}

const CELLS = {
  rnn_tanh: elman(Math.tanh),
  rnn_relu: elman((x) => Math.max(0, x)),

  lstm(sums, [H, C], { W_h }) {
    const n = H.length;
    addProduct(sums, H, W_h);
    const gate = (place, k) => sigmoid(sums[place * n + k]);  // i, f, o, and the candidate
    const cells = C.map((c, k) => gate(1, k) * c + gate(0, k) * Math.tanh(sums[3 * n + k]));
    return [cells.map((c, k) => gate(2, k) * Math.tanh(c)), cells];
  },

  gru_before(sums, [H], { W_h }) {
    const n = H.length;
    addProduct(sums, H, W_h, 0, 2 * n);  // z, r
    addProduct(sums, H.map((h, k) => sigmoid(sums[n + k]) * h), W_h, 2 * n);  // the candidate
    return [H.map((h, k) => mixed(sigmoid(sums[k]), h, Math.tanh(sums[2 * n + k])))];
  },

  gru_after(sums, [H], { W_h, b_hh }) {
    const n = H.length, own = new Float64Array(3 * n);
    own.set(b_hh.numbers, 2 * n);
    addProduct(own, H, W_h);
    return [H.map((h, k) => {
      const reset = sigmoid(sums[n + k] + own[n + k]);
      return mixed(sigmoid(sums[k] + own[k]), h, Math.tanh(sums[2 * n + k] + reset * own[2 * n + k]));
    })];
  },
};

const mixed = (z, old, candidate) => z * old + (1 - z) * candidate;
