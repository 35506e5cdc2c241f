"""Each cell's passes over time, of some batch rows of one lane: docs/bptt.md with its names.

The first half are the formulas of a step, the second the kernels that take all T steps. Shapes: T
time steps, B batch rows of which lo..hi-1 are computed, H hidden units filled up to whole vectors.
A gate's A (T, B, H) holds X_t W_x + b first, then its values, and on the way back da_t. H and dH
(T + 1, B, H) begin with the state before the first step; dH holds what comes from above, and on
the way back collects the rest. W_h and W_h_T are a matrix for each gate, packed.
"""

from __future__ import annotations

from typing import Any

from rnnlab._common.kernel import kernel
from rnnlab.nn.engines.compiled.functions import sigmoid, tanh
from rnnlab.nn.engines.compiled.products import add_product
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


@kernel
def rnn_tanh(A: Any, h: Any, W_h: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1]):
        a, after = A[0, t, lo:hi], h[t + 1, lo:hi]
        add_product(a, h[t, lo:hi], W_h[0])
        tanh_step((after,), (a,))


@kernel
def rnn_tanh_back(A: Any, h: Any, dh: Any, W_h_T: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1] - 1, -1, -1):
        a = A[0, t, lo:hi]
        tanh_step_back((a,), (dh[t + 1, lo:hi], h[t + 1, lo:hi]))
        add_product(dh[t, lo:hi], a, W_h_T[0])


@kernel
def rnn_relu(A: Any, h: Any, W_h: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1]):
        a, after = A[0, t, lo:hi], h[t + 1, lo:hi]
        add_product(a, h[t, lo:hi], W_h[0])
        relu_step((after,), (a,))


@kernel
def rnn_relu_back(A: Any, h: Any, dh: Any, W_h_T: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1] - 1, -1, -1):
        a = A[0, t, lo:hi]
        relu_step_back((a,), (dh[t + 1, lo:hi], h[t + 1, lo:hi]))
        add_product(dh[t, lo:hi], a, W_h_T[0])


@kernel
def lstm(A: Any, h: Any, C: Any, tanh_C: Any, W_h: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1]):
        i, f, o, g = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi], A[3, t, lo:hi]
        c, after, tanh_c = C[t, lo:hi], C[t + 1, lo:hi], tanh_C[t, lo:hi]
        for gate in range(4):
            add_product(A[gate, t, lo:hi], h[t, lo:hi], W_h[gate])
        lstm_step((i, f, o, g, after, tanh_c, h[t + 1, lo:hi]), (i, f, o, g, c))


@kernel
def lstm_back(A: Any, C: Any, tanh_C: Any, dh: Any, dC: Any, W_h_T: Any, lo: int, hi: int) -> None:
    dc = dC[lo:hi]
    dc[:] = 0
    for t in range(A.shape[1] - 1, -1, -1):
        i, f, o, g = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi], A[3, t, lo:hi]
        c, tanh_c = C[t, lo:hi], tanh_C[t, lo:hi]
        lstm_step_back((i, f, o, g, dc), (dh[t + 1, lo:hi], dc, i, f, o, g, c, tanh_c))
        for gate in range(4):
            add_product(dh[t, lo:hi], A[gate, t, lo:hi], W_h_T[gate])


@kernel
def gru_before(A: Any, H: Any, RH: Any, W_h: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1]):
        z, r, n = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi]
        h, rh = H[t, lo:hi], RH[t, lo:hi]
        add_product(z, h, W_h[0])
        add_product(r, h, W_h[1])
        gru_reset((z, r, rh), (z, r, h))
        add_product(n, rh, W_h[2])
        gru_mix((n, H[t + 1, lo:hi]), (z, n, h))


@kernel
def gru_before_back(
    A: Any, H: Any, dRH: Any, dH: Any, W_h_T: Any, lo: int, hi: int
) -> None:  # fmt: skip
    drh = dRH[lo:hi]
    for t in range(A.shape[1] - 1, -1, -1):
        z, r, n = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi]
        h, dh_before = H[t, lo:hi], dH[t, lo:hi]
        gru_mix_back((z, n, dh_before), (dH[t + 1, lo:hi], z, n, h, dh_before))
        drh[:] = 0
        add_product(drh, n, W_h_T[2])
        gru_reset_back((r, dh_before), (drh, r, h, dh_before))
        add_product(dh_before, z, W_h_T[0])
        add_product(dh_before, r, W_h_T[1])


@kernel
def gru_after(A: Any, H: Any, S: Any, W_h: Any, lo: int, hi: int) -> None:
    """S holds b_hh in the beginning, and on the way back ds."""
    for t in range(A.shape[1]):
        z, r, n = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi]
        h, s = H[t, lo:hi], S[t, lo:hi]
        add_product(z, h, W_h[0])
        add_product(r, h, W_h[1])
        add_product(s, h, W_h[2])
        gru_after_step((z, r, n, H[t + 1, lo:hi]), (z, r, n, s, h))


@kernel
def gru_after_back(A: Any, H: Any, S: Any, dH: Any, W_h_T: Any, lo: int, hi: int) -> None:
    for t in range(A.shape[1] - 1, -1, -1):
        z, r, n = A[0, t, lo:hi], A[1, t, lo:hi], A[2, t, lo:hi]
        s, dh_before = S[t, lo:hi], dH[t, lo:hi]
        gru_after_step_back(
            (z, r, n, s, dh_before), (dH[t + 1, lo:hi], z, r, n, s, H[t, lo:hi], dh_before)
        )
        add_product(dh_before, z, W_h_T[0])
        add_product(dh_before, r, W_h_T[1])
        add_product(dh_before, s, W_h_T[2])
