"""What stands around the passes over time: inputs, the output layer with its loss, sums.

Shapes: T time steps, B batch rows of which lo..hi-1 are computed, G gates, I inputs, H hidden
units and V tokens; in buffers H and V are filled up to whole vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlab._common.kernel import kernel
from rnnlab.nn.engines.compiled.functions import exp
from rnnlab.nn.engines.compiled.products import add_product, add_sum_of_products
from rnnlab.nn.engines.compiled.vectors import Vector, elementwise, folded, larger

largest = folded(lambda x: x, larger)
total = folded(lambda x: x, lambda x, y: x + y)


@elementwise
def exp_above(x: Vector, most: Vector) -> Vector:
    return exp(x - most)


@elementwise
def add(x: Vector, y: Vector) -> Vector:
    return x + y


@elementwise
def multiply(x: Vector, y: Vector) -> Vector:
    return x * y


# --- inputs ------------------------------------------------------------------------------------


@kernel
def look_up(A: Any, W_x: Any, b: Any, X: Any, lo: int, hi: int) -> None:
    """A (G, T, B, H) = one_hot(X) W_x + b, of tokens X (B, T) and W_x (V, G H)."""
    G, T, _, _ = A.shape
    H = W_x.shape[1] // G
    for gate in range(G):
        for t in range(T):
            for row in range(lo, hi):
                token = X[row, t]
                for j in range(H):
                    A[gate, t, row, j] = W_x[token, gate * H + j] + b[gate * H + j]


@kernel
def add_looked_up(dW_x: Any, A: Any, X: Any) -> None:
    """dW_x (V, G H) = one_hot(X)^T dA."""
    G, T, B, _ = A.shape
    H = dW_x.shape[1] // G
    dW_x[:] = 0
    for gate in range(G):
        for t in range(T):
            for row in range(B):
                token = X[row, t]
                for j in range(H):
                    dW_x[token, gate * H + j] += A[gate, t, row, j]


@kernel
def fill(A: Any, b: Any, lo: int, hi: int) -> None:
    """Every row of A (T, B, N) = b (n), and zero beyond it."""
    T, _, N = A.shape
    n = len(b)
    for t in range(T):
        for row in range(lo, hi):
            for j in range(n):
                A[t, row, j] = b[j]
            for j in range(n, N):
                A[t, row, j] = 0


@kernel
def masked(X: Any, S: Any, M: Any, lo: int, hi: int) -> None:
    """X (T, B, H) = S M, of a mask M without the filling."""
    T, _, H = M.shape
    for t in range(T):
        for row in range(lo, hi):
            for j in range(H):
                X[t, row, j] = S[t, row, j] * M[t, row, j]


@kernel
def add_products(C: Any, A: Any, P: Any, lo: int, hi: int) -> None:
    """C (T, B, N) += A (T, B, K) W, packed, step by step."""
    for t in range(C.shape[0]):
        add_product(C[t, lo:hi], A[t, lo:hi], P)


# --- the output layer and the loss -------------------------------------------------------------


@kernel
def loss(O: Any, Y: Any, nats: Any, share: float, lo: int, hi: int) -> None:
    """nats (T, B) = -log softmax(O)[Y], of O (T, B, V) and Y (B, T).

    In place of O share (softmax(O) - one_hot(Y)). What O is filled up with is -inf, and then zero.
    """
    for t in range(O.shape[0]):
        for row in range(lo, hi):
            o, target = O[t, row], Y[row, t]
            most, own = largest((o,)), o[target]
            exp_above((o,), (o, most))
            sum_ = total((o,))
            nats[t, row] = np.log(np.float64(sum_)) + most - own
            multiply((o,), (o, share / sum_))
            o[target] -= share


# --- sums --------------------------------------------------------------------------------------


@kernel
def sum_rows(A: Any, out: Any, work: Any) -> None:
    """out (n) = the sum of A (T, B, N) over time steps and rows; work (N ...) is to work in."""
    T, B, N = A.shape
    sums = work[:N]
    sums[:] = 0
    for t in range(T):
        for row in range(B):
            add((sums,), (sums, A[t, row]))
    for j in range(len(out)):
        out[j] = sums[j]


@kernel
def sum_products(out: Any, X: Any, dA: Any, first: int, work: Any, right: Any) -> None:
    """out (M, n) = X^T dA, of X (T, B, .), its columns from the first on, and dA (T, B, N).

    work (M N) and right, as for `add_sum_of_products`, are to work in.
    """
    M, n = out.shape
    T, B, N = dA.shape
    C = work[: M * N].reshape(M, N)
    C[:] = 0
    add_sum_of_products(C, X.reshape(T * B, X.shape[2]), dA.reshape(T * B, N), first, right)
    for i in range(M):
        for j in range(n):
            out[i, j] = C[i, j]
