"""Each cell's passes over time, of the batch rows of one layer: docs/bptt.md with its names.

The first half are the formulas of a step, the second the kernels that take all T steps. Shapes: T
time steps, B batch rows, H hidden units filled up to whole vectors, G gates.

A (G, T, B, H) holds X_t W_x + b first, then the gates' values, and on the way back da_t. S (.,
T + 1, B, H) are the series that are kept: its first is H, from the state before the first step on,
and then what a cell names below. dH (T + 1, B, H) holds what comes from above, and on the way back
collects the rest; what flows into the state before the first step is left out. d (B, H) is to work
in. W_h and W_h_T are a matrix for each gate, packed.
"""

from __future__ import annotations

from typing import Any

from rnnlab._common.kernel import part
from rnnlab.nn.engines.compiled.functions import sigmoid, tanh
from rnnlab.nn.engines.compiled.products import add_product, product
from rnnlab.nn.engines.compiled.vectors import Vector, elementwise, fma

Vectors = tuple[Vector, ...]

# --- the formulas of a step --------------------------------------------------------------------


@elementwise
def tanh_step(a: Vector) -> Vector:
    return tanh(a)


@elementwise
def tanh_step_back(dh: Vector, h: Vector) -> Vector:
    return dh * (1 - h * h)


@elementwise
def relu_step(a: Vector) -> Vector:
    return a.where("<", 0, 0, a)


@elementwise
def relu_step_back(dh: Vector, h: Vector) -> Vector:
    return h.where(">", 0, dh, 0)


@elementwise
def lstm_step(i: Vector, f: Vector, o: Vector, g: Vector, c: Vector) -> Vectors:
    """Gates, c_t, tanh(c_t), h_t."""
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), tanh(g)
    c = fma(f, c, i * g)
    tanh_c = tanh(c)
    return i, f, o, g, c, tanh_c, o * tanh_c


@elementwise
def lstm_step_back(
    dh: Vector, dc: Vector, i: Vector, f: Vector, o: Vector, g: Vector, c: Vector, tanh_c: Vector
) -> Vectors:
    """da of the gates, dc_{t-1}; c is c_{t-1}."""
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    return (
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dh * tanh_c * o * (1 - o),
        dc * i * (1 - g * g),
        dc * f,
    )


@elementwise
def gru_reset(z: Vector, r: Vector, h: Vector) -> Vectors:
    """z, r, r h_{t-1}."""
    r = sigmoid(r)
    return sigmoid(z), r, r * h


@elementwise
def gru_mix(z: Vector, n: Vector, h: Vector) -> Vectors:
    """n, h_t."""
    n = tanh(n)
    return n, fma(z, h - n, n)


@elementwise
def gru_mix_back(dh: Vector, z: Vector, n: Vector, h: Vector, dh_before: Vector) -> Vectors:
    """da_z, da_h, and what flows into h_{t-1} by itself."""
    through = dh * z
    return dh * (h - n) * z * (1 - z), (dh - through) * (1 - n * n), dh_before + through


@elementwise
def gru_reset_back(drh: Vector, r: Vector, h: Vector, dh_before: Vector) -> Vectors:
    """da_r, and what flows into h_{t-1} through r h_{t-1}."""
    return drh * h * r * (1 - r), fma(drh, r, dh_before)


@elementwise
def gru_after_step(z: Vector, r: Vector, n: Vector, s: Vector, h: Vector) -> Vectors:
    """z, r, n, h_t."""
    z, r = sigmoid(z), sigmoid(r)
    n = tanh(fma(r, s, n))
    return z, r, n, fma(z, h - n, n)


@elementwise
def gru_after_step_back(
    dh: Vector, z: Vector, r: Vector, n: Vector, s: Vector, h: Vector, dh_before: Vector
) -> Vectors:
    """da_z, da_r, da_h, ds, and what flows into h_{t-1} by itself."""
    through = dh * z
    dn = (dh - through) * (1 - n * n)
    return dh * (h - n) * z * (1 - z), dn * s * r * (1 - r), dn, dn * r, dh_before + through


# --- all steps ---------------------------------------------------------------------------------


@part
def rnn_tanh(A: Any, S: Any, W_h: Any) -> None:
    a, h = A[0], S[0]
    for t in range(len(a)):
        add_product(a[t], h[t], W_h[0])
        tanh_step((h[t + 1],), (a[t],))


@part
def rnn_tanh_back(A: Any, S: Any, dH: Any, W_h_T: Any) -> None:
    a, h = A[0], S[0]
    for t in range(len(a) - 1, -1, -1):
        tanh_step_back((a[t],), (dH[t + 1], h[t + 1]))
        if t > 0:
            add_product(dH[t], a[t], W_h_T[0])


@part
def rnn_relu(A: Any, S: Any, W_h: Any) -> None:
    a, h = A[0], S[0]
    for t in range(len(a)):
        add_product(a[t], h[t], W_h[0])
        relu_step((h[t + 1],), (a[t],))


@part
def rnn_relu_back(A: Any, S: Any, dH: Any, W_h_T: Any) -> None:
    a, h = A[0], S[0]
    for t in range(len(a) - 1, -1, -1):
        relu_step_back((a[t],), (dH[t + 1], h[t + 1]))
        if t > 0:
            add_product(dH[t], a[t], W_h_T[0])


@part
def lstm(A: Any, S: Any, W_h: Any) -> None:
    """S: H, C, tanh(C_1) .. tanh(C_T)."""
    i, f, o, g = A[0], A[1], A[2], A[3]
    h, c, tanh_c = S[0], S[1], S[2]
    for t in range(len(i)):
        for gate in range(4):
            add_product(A[gate, t], h[t], W_h[gate])
        lstm_step(
            (i[t], f[t], o[t], g[t], c[t + 1], tanh_c[t], h[t + 1]),
            (i[t], f[t], o[t], g[t], c[t]),
        )


@part
def lstm_back(A: Any, S: Any, dH: Any, dc: Any, W_h_T: Any) -> None:
    i, f, o, g = A[0], A[1], A[2], A[3]
    c, tanh_c = S[1], S[2]
    dc[:] = 0
    for t in range(len(i) - 1, -1, -1):
        lstm_step_back(
            (i[t], f[t], o[t], g[t], dc),
            (dH[t + 1], dc, i[t], f[t], o[t], g[t], c[t], tanh_c[t]),
        )
        if t > 0:
            for gate in range(4):
                add_product(dH[t], A[gate, t], W_h_T[gate])


@part
def gru_before(A: Any, S: Any, W_h: Any) -> None:
    """S: H, R_1 H_0 .. R_T H_{T-1}."""
    z, r, n = A[0], A[1], A[2]
    h, rh = S[0], S[1]
    for t in range(len(z)):
        add_product(z[t], h[t], W_h[0])
        add_product(r[t], h[t], W_h[1])
        gru_reset((z[t], r[t], rh[t]), (z[t], r[t], h[t]))
        add_product(n[t], rh[t], W_h[2])
        gru_mix((n[t], h[t + 1]), (z[t], n[t], h[t]))


@part
def gru_before_back(A: Any, S: Any, dH: Any, drh: Any, W_h_T: Any) -> None:
    z, r, n = A[0], A[1], A[2]
    h = S[0]
    for t in range(len(z) - 1, -1, -1):
        gru_mix_back((z[t], n[t], dH[t]), (dH[t + 1], z[t], n[t], h[t], dH[t]))
        product(drh, n[t], W_h_T[2], False)
        gru_reset_back((r[t], dH[t]), (drh, r[t], h[t], dH[t]))
        if t > 0:
            add_product(dH[t], z[t], W_h_T[0])
            add_product(dH[t], r[t], W_h_T[1])


@part
def gru_after(A: Any, S: Any, W_h: Any) -> None:
    """S: H, b_hh + H_0 W_hh .. b_hh + H_{T-1} W_hh; b_hh is there, and on the way back ds_t."""
    z, r, n = A[0], A[1], A[2]
    h, s = S[0], S[1]
    for t in range(len(z)):
        add_product(z[t], h[t], W_h[0])
        add_product(r[t], h[t], W_h[1])
        add_product(s[t], h[t], W_h[2])
        gru_after_step((z[t], r[t], n[t], h[t + 1]), (z[t], r[t], n[t], s[t], h[t]))


@part
def gru_after_back(A: Any, S: Any, dH: Any, W_h_T: Any) -> None:
    z, r, n = A[0], A[1], A[2]
    h, s = S[0], S[1]
    for t in range(len(z) - 1, -1, -1):
        gru_after_step_back(
            (z[t], r[t], n[t], s[t], dH[t]), (dH[t + 1], z[t], r[t], n[t], s[t], h[t], dH[t])
        )
        if t > 0:
            add_product(dH[t], z[t], W_h_T[0])
            add_product(dH[t], r[t], W_h_T[1])
            add_product(dH[t], s[t], W_h_T[2])


# --- all cells ---------------------------------------------------------------------------------

FORMS = ("rnn_tanh", "rnn_relu", "lstm", "gru_before", "gru_after")
TANH, RELU, LSTM, GRU_BEFORE, GRU_AFTER = range(len(FORMS))
SERIES = (1, 1, 3, 2, 2)


@part
def forth(form: int, A: Any, S: Any, W_h: Any) -> None:
    if form == TANH:
        rnn_tanh(A, S, W_h)
    elif form == RELU:
        rnn_relu(A, S, W_h)
    elif form == LSTM:
        lstm(A, S, W_h)
    elif form == GRU_BEFORE:
        gru_before(A, S, W_h)
    else:
        gru_after(A, S, W_h)


@part
def back(form: int, A: Any, S: Any, dH: Any, d: Any, W_h_T: Any) -> None:
    if form == TANH:
        rnn_tanh_back(A, S, dH, W_h_T)
    elif form == RELU:
        rnn_relu_back(A, S, dH, W_h_T)
    elif form == LSTM:
        lstm_back(A, S, dH, d, W_h_T)
    elif form == GRU_BEFORE:
        gru_before_back(A, S, dH, d, W_h_T)
    else:
        gru_after_back(A, S, dH, W_h_T)
