"""Matrix products, of operands that are put in the order in which they are read.

Packed, a matrix W (K, N) is P (N / w, K, w) of vectors of w numbers, the last one filled up with
zeros. Every element of a result is one chain of fused multiplications and additions, from what was
there, in the order of the terms: whatever rows and columns are computed together.
"""

from __future__ import annotations

from typing import Any

from rnnlab._common.kernel import part
from rnnlab.nn.engines.compiled.tile import ROWS, WIDE, tile
from rnnlab.nn.engines.compiled.vectors import move, transpose

TERMS = 128  # of a sum over tokens, before the same terms of the next columns

most, most_wide = tile(ROWS, 1), tile(ROWS, WIDE)
four, four_wide = tile(4, 1), tile(4, WIDE)
one, one_wide = tile(1, 1), tile(1, WIDE)


@part
def strip(
    C: Any, c: int, C_row: int, A: Any, a: int, A_row: int, A_term: int, P: Any, p: int, K: int,
    adds: bool, M: int, is_wide: bool,
) -> None:  # fmt: skip
    """M rows of a product, one vector wide or WIDE of them: see `tile`."""
    while M > 0:
        if ROWS <= M:
            rows = ROWS
            if is_wide:
                most_wide(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
            else:
                most(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
        elif M >= 4:
            rows = 4
            if is_wide:
                four_wide(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
            else:
                four(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
        else:
            rows = 1
            if is_wide:
                one_wide(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
            else:
                one(C, c, C_row, A, a, A_row, A_term, P, p, K, adds)
        c += rows * C_row
        a += rows * A_row
        M -= rows


@part
def product(C: Any, A: Any, P: Any, adds: bool) -> None:
    """C (M, .) = A (M, .) W, or C += A W, of W (K, N) packed; A's first K columns count."""
    M, C_row = C.shape
    n, K, w = P.shape
    j = 0
    while j < n:
        is_wide = n - j >= WIDE
        strip(C, j * w, C_row, A, 0, A.shape[1], 1, P, j * K * w, K, adds, M, is_wide)
        j += WIDE if is_wide else 1


@part
def add_product(C: Any, A: Any, P: Any) -> None:
    product(C, A, P, True)


@part
def sum_of_products(C: Any, A: Any, B: Any, right: Any) -> None:
    """C (M, N) = A^T B, of A's (n, .) first M columns and B's (n, .) first N: a sum over n tokens.

    right (WIDE, TERMS, w) is to work in: some columns of B.
    """
    M, N = C.shape
    n, A_row, B_row, w = len(A), A.shape[1], B.shape[1], right.shape[2]
    for start in range(0, n, TERMS):
        K, adds = min(TERMS, n - start), start > 0
        j = 0
        while j < N:
            is_wide = N - j >= WIDE * w
            vectors = WIDE if is_wide else 1
            for v in range(vectors):
                for k in range(K):
                    move(right, (v * K + k) * w, B, (start + k) * B_row + j + v * w)
            strip(C, j, N, A, start * A_row, 1, A_row, right, 0, K, adds, M, is_wide)
            j += vectors * w


@part
def pack(W: Any, row_length: int, N: int, P: Any) -> None:
    """P (N / w, K, w) of W (K, N), which begins with W's first number."""
    n, K, w = P.shape
    for j in range(n):
        columns = min(w, N - j * w)
        if columns == w:
            for k in range(K):
                move(P, (j * K + k) * w, W, k * row_length + j * w)
        else:
            for k in range(K):
                for m in range(columns):
                    P[j, k, m] = W[k * row_length + j * w + m]
                for m in range(columns, w):
                    P[j, k, m] = 0


@part
def pack_transposed(W: Any, row_length: int, K: int, P: Any) -> None:
    """P (K / w, N, w) of the transpose of W (K, N)."""
    n, N, w = P.shape
    for j in range(n):
        rows = min(w, K - j * w)
        for start in range(0, N, w):
            if rows == w and start + w <= N:
                transpose(P, (j * N + start) * w, W, j * w * row_length + start, row_length)
                continue
            for k in range(start, min(start + w, N)):
                for m in range(rows):
                    P[j, k, m] = W[(j * w + m) * row_length + k]
                for m in range(rows, w):
                    P[j, k, m] = 0
