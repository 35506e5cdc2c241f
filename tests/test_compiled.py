"""The compiled engine's parts against longer numbers, numpy and torch; and that bits depend on
nothing but the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import library

numba = pytest.importorskip("numba")

from rnnlab.nn.cells import CELLS  # noqa: E402
from rnnlab.nn.engines import ENGINES  # noqa: E402
from rnnlab.nn.engines.compiled import functions  # noqa: E402
from rnnlab.nn.engines.compiled.edges import largest, total  # noqa: E402
from rnnlab.nn.engines.compiled.network import Compiled  # noqa: E402
from rnnlab.nn.engines.compiled.products import (  # noqa: E402
    TERMS,
    add_product,
    pack,
    pack_transposed,
    sum_of_products,
)  # fmt: skip
from rnnlab.nn.engines.compiled.tile import WIDE  # noqa: E402
from rnnlab.nn.engines.compiled.vectors import BYTES, elementwise  # noqa: E402
from test_engines import problem  # noqa: E402

each_exp, each_sigmoid, each_tanh = map(
    elementwise, (functions.exp, functions.sigmoid, functions.tanh)
)
FLOATS = [np.float32, np.float64]


@numba.njit
def exp(x: Any, y: Any) -> None:
    each_exp((y,), (x,))


@numba.njit
def sigmoid(x: Any, y: Any) -> None:
    each_sigmoid((y,), (x,))


@numba.njit
def tanh(x: Any, y: Any) -> None:
    each_tanh((y,), (x,))


# what longer numbers say, and the error that the function's docstring states
KNOWN = {
    "exp": (exp, lambda x: np.exp(x), 1.0),
    "sigmoid": (sigmoid, lambda x: np.exp(-np.logaddexp(0, -x)), 2.3),
    "tanh": (tanh, lambda x: np.tanh(x), 2.5),
}


def arguments(dtype: type) -> np.ndarray:
    """All sizes, down to what is no longer normal, and closely where the functions bend."""
    form = np.finfo(dtype)
    tiny, most = np.log2(float(form.smallest_subnormal)), np.log2(float(form.max))
    rng = np.random.default_rng(0)
    sizes = 2.0 ** rng.uniform(tiny, min(most, 12), 200_000)
    near = np.concatenate([rng.uniform(-20, 20, 200_000), rng.uniform(-800, 800, 100_000)])
    found = np.concatenate([sizes, -sizes, near]).astype(dtype)
    return found[: len(found) // 16 * 16]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KNOWN)
def test_a_function_errs_by_no_more_than_it_says(name, dtype):
    function, exact, largest_error = KNOWN[name]
    x = arguments(dtype)
    y = np.empty_like(x)
    function(x, y)
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.longdouble))
        in_range = np.abs(expected) <= np.finfo(dtype).max
        ulp = np.spacing(np.abs(expected[in_range]).astype(dtype)).astype(np.longdouble)
        errors = np.abs(y[in_range] - expected[in_range]) / ulp
    assert largest_error / 2 < errors.max() <= largest_error
    assert np.isinf(y[~in_range]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", KNOWN)
def test_zeros_infinities_and_nan_are_torchs(name, dtype):
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-30]
    x = np.array([*special, *special], dtype)
    y = np.empty_like(x)
    KNOWN[name][0](x, y)
    expected = getattr(torch, name)(torch.from_numpy(x)).numpy()
    assert np.array_equal(y, expected, equal_nan=True)
    assert np.array_equal(np.signbit(y[:4]), np.signbit(expected[:4]))


@pytest.mark.parametrize("dtype", FLOATS)
def test_tanh_is_odd_to_the_bit(dtype):
    x = arguments(dtype)
    forth, back = np.empty_like(x), np.empty_like(x)
    tanh(x, forth)
    tanh(-x, back)
    assert np.array_equal(forth, -back)


# --- products ----------------------------------------------------------------------------------


def packed(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For W and its transpose."""
    w = BYTES // W.itemsize
    K, N = W.shape
    P, P_T = np.empty((-(-N // w), K, w), W.dtype), np.empty((-(-K // w), N, w), W.dtype)
    pack_both(W.ravel(), K, N, P, P_T)
    return P, P_T


@numba.njit
def pack_both(W: Any, K: int, N: int, P: Any, P_T: Any) -> None:
    pack(W, N, N, P)
    pack_transposed(W, N, K, P_T)


@numba.njit
def product(C: Any, A: Any, P: Any) -> None:
    add_product(C, A, P)


@numba.njit
def summed(C: Any, A: Any, B: Any, right: Any) -> None:
    sum_of_products(C, A, B, right)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("M", "K", "N"), [(1, 1, 1), (5, 7, 100), (33, 100, 7), (16, 64, 64)])
def test_products_are_numpys(M, K, N, dtype):
    rng = np.random.default_rng(M)
    A, W = rng.normal(size=(M, K)).astype(dtype), rng.normal(size=(K, N)).astype(dtype)
    rtol = 100 * np.finfo(dtype).eps
    P, P_T = packed(W)
    C = np.ones((M, len(P) * P.shape[2]), dtype)
    product(C, A, P)
    np.testing.assert_allclose(C[:, :N], 1 + A @ W, rtol=rtol, atol=rtol)
    assert (C[:, N:] == 1).all()  # what is filled up with zeros
    back = np.zeros((M, len(P_T) * P_T.shape[2]), dtype)
    product(back, np.ascontiguousarray(C[:, :N]), P_T)
    np.testing.assert_allclose(back[:, :K], C[:, :N] @ W.T, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("tokens", [1, TERMS, 2 * TERMS + 3])
@pytest.mark.parametrize("M", [1, 7, 64])
def test_a_sum_over_tokens_is_numpys(tokens, M, dtype):
    w = BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(tokens)
    A, B = rng.normal(size=(tokens, 64)).astype(dtype), rng.normal(size=(tokens, 3 * w))
    right, C = np.empty((WIDE, TERMS, w), dtype), np.ones((M, 3 * w), dtype)
    summed(C, A, B.astype(dtype), right)
    rtol = 1000 * np.finfo(dtype).eps
    expected = A[:, :M].T @ B.astype(dtype)
    np.testing.assert_allclose(C, expected, rtol=rtol, atol=rtol)


@numba.njit
def folds(x: Any) -> Any:
    return largest((x,)), total((x,))


@pytest.mark.parametrize("dtype", FLOATS)
def test_folds_are_numpys(dtype):
    x = np.random.default_rng(0).normal(size=160).astype(dtype)
    for size in (16, 160):
        most, sum_ = folds(x[:size])
        assert most == x[:size].max()
        assert sum_ == pytest.approx(x[:size].sum(), rel=100 * float(np.finfo(dtype).eps))


# --- bits --------------------------------------------------------------------------------------


def results(form: str, K: int, B: int, threads: int, lanes: slice = slice(None)) -> list[Any]:
    model = library.model(form, 28, 33, 2)
    parameters, X, Y, state = problem(model, K, B, 5, seed=0, dtype=torch.float32)
    own = parameters.like(parameters.flat[lanes].clone())
    state = tuple(tuple(tensor[lanes] for tensor in layer) for layer in state)
    engine = Compiled(threads=threads, worth_sharing=0)
    loss, gradients, after = engine.loss_and_gradients(own, X[lanes], Y[lanes], state)
    return [loss, gradients.flat, *(tensor for layer in after for tensor in layer)]


@pytest.mark.parametrize("form", CELLS)
@pytest.mark.parametrize("B", [1, 5, 33])
def test_a_lane_has_the_same_bits_alone_and_on_any_number_of_threads(form, B):
    alone = results(form, 3, B, threads=1, lanes=slice(1, 2))
    for threads in (1, 2, 3):
        for tensor, own in zip(results(form, 3, B, threads), alone, strict=True):
            assert torch.equal(tensor[1:2], own)
        one = results(form, 3, B, threads, lanes=slice(1, 2))
        assert all(map(torch.equal, one, alone))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_vanishes_is_zero_and_never_a_slow_number_next_to_it(threads):
    """Below what is normal in fp32, on every thread; and as before for everybody else."""
    model = library.model("rnn_tanh", 9, 16)
    parameters, X, Y, state = problem(model, 1, 16, 5, seed=0, dtype=torch.float32)
    parameters["W_hq"].mul_(1e-38)
    given = (parameters, X, Y, state)
    loss, gradients, _ = Compiled(threads, worth_sharing=0).loss_and_gradients(*given)
    expected = ENGINES["eager"].computation().loss_and_gradients(*given)
    torch.testing.assert_close(loss, expected[0], rtol=1e-6, atol=0)
    assert (gradients["0.W_hh"] == 0).all()
    smallest_normal = torch.finfo(torch.float32).tiny
    assert 0 < expected[1]["0.W_hh"].abs().max() < smallest_normal
    assert (torch.tensor([smallest_normal]) / 2).item() > 0


def test_a_neighbour_that_diverges_changes_no_bit():
    model = library.model("lstm", 9, 8)
    parameters, X, Y, state = problem(model, 2, 4, 5, seed=0, dtype=torch.float32)
    loss, gradients, _ = Compiled().loss_and_gradients(parameters, X, Y, state)
    before = loss[1].clone(), gradients.flat[1].clone()
    parameters.flat[0] = torch.nan
    loss, gradients, _ = Compiled().loss_and_gradients(parameters, X, Y, state)
    assert torch.equal(loss[1], before[0])
    assert torch.equal(gradients.flat[1], before[1])
    assert loss[0].isnan()
