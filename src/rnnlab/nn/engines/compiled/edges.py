"""What stands around the passes over time: inputs, the output layer with its loss, sums.

Shapes: T time steps, B batch rows, H hidden units and V tokens; in buffers H and V are filled up to
whole vectors. A matrix among a lane's parameters, or their gradients, is given as what begins with
its first number, and the length of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlab._common.kernel import part
from rnnlab.nn.engines.compiled.functions import exp
from rnnlab.nn.engines.compiled.products import product, sum_of_products
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


@part
def copy(to: Any, source: Any, n: int) -> None:
    """The first n numbers; numba's own assignment takes seconds to compile."""
    for i in range(n):
        to[i] = source[i]


# --- inputs ------------------------------------------------------------------------------------


@part
def look_up(A: Any, W_x: Any, row_length: int, b: Any, X: Any) -> None:
    """A (T, B, H) = one_hot(X) W_x + b, of tokens X (B, T)."""
    T, B, _ = A.shape
    H = len(b)
    for t in range(T):
        for row in range(B):
            first = X[row, t] * row_length
            a, w = A[t, row], W_x[first : first + H]
            for j in range(H):
                a[j] = w[j] + b[j]


@part
def add_looked_up(dW_x: Any, row_length: int, H: int, A: Any, X: Any) -> None:
    """dW_x += one_hot(X)^T dA, of its first H columns."""
    T, B, _ = A.shape
    for t in range(T):
        for row in range(B):
            first = X[row, t] * row_length
            a, dw = A[t, row], dW_x[first : first + H]
            for j in range(H):
                dw[j] += a[j]


@part
def fill(A: Any, b: Any) -> None:
    """Every row of A (T, B, N) = b (n,), and zero beyond it."""
    T, B, N = A.shape
    n = len(b)
    for t in range(T):
        for row in range(B):
            a = A[t, row]
            for j in range(n):
                a[j] = b[j]
            for j in range(n, N):
                a[j] = 0


@part
def masked(X: Any, S: Any, M: Any) -> None:
    """X (T, B, H) = S M, of a mask M without the filling."""
    T, B, H = M.shape
    for t in range(T):
        for row in range(B):
            for j in range(H):
                X[t, row, j] = S[t, row, j] * M[t, row, j]


@part
def products(C: Any, A: Any, P: Any, adds: bool) -> None:
    """C (T, B, N) = A (T, B, K) W, or C += A W, packed."""
    T, B, N = C.shape
    product(C.reshape(T * B, N), A.reshape(T * B, A.shape[2]), P, adds)


# --- the output layer and the loss -------------------------------------------------------------


@part
def loss(O: Any, Y: Any, share: float) -> float:
    """The sum of -log softmax(O)[Y] (nats), of O (T, B, V) and Y (B, T).

    In place of O share (softmax(O) - one_hot(Y)). What O is filled up with is -inf, and then zero.
    """
    T, B, _ = O.shape
    nats, product = 0.0, 1.0  # of many sums, of which one logarithm is taken
    for t in range(T):
        for row in range(B):
            o, target = O[t, row], Y[row, t]
            most, own = largest((o,)), o[target]
            exp_above((o,), (o, most))
            sum_ = total((o,))
            multiply((o,), (o, share / sum_))
            o[target] -= share
            nats += np.float64(most - own)
            product *= np.float64(sum_)
            if product > 1e200:
                nats += np.log(product)
                product = 1.0
    return nats + np.log(product)


# --- sums --------------------------------------------------------------------------------------


@part
def sum_rows(A: Any, out: Any, work: Any) -> None:
    """out (n,) = the sum of A (T, B, N) over time steps and rows; work (N ...) is to work in."""
    T, B, N = A.shape
    sums = work[:N]
    sums[:] = 0
    for t in range(T):
        for row in range(B):
            add((sums,), (sums, A[t, row]))
    copy(out, sums, len(out))


@part
def sum_products(
    out: Any, row_length: int, M: int, n: int, X: Any, dA: Any, work: Any, right: Any
) -> None:  # fmt: skip
    """out (M, n) = X^T dA, of M columns of X (T, B, .) and n of dA (T, B, N).

    work (M N ...) and right, as for `sum_of_products`, are to work in.
    """
    T, B, row = dA.shape
    w = right.shape[2]
    N = n + -n % w
    C = work[: M * N].reshape(M, N)
    sum_of_products(C, X.reshape(T * B, X.shape[2]), dA.reshape(T * B, row), right)
    for i in range(M):
        copy(out[i * row_length :], C[i], n)
