"""One step of each cell with numbers worked out by hand from the equations, for one hidden unit."""

from math import exp, tanh

import pytest
import torch

from rnnlab.nn.cells import CELLS

X, H, C = 0.5, 0.25, -0.75


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def parameters(names: list[str]) -> dict[str, torch.Tensor]:
    """0.1, 0.2, 0.3, ... so that no two parameters can be swapped unnoticed."""
    return {
        name: torch.full((1, 1, 1), 0.1 * (i + 1), dtype=torch.float64)
        for i, name in enumerate(names)
    }


def step(cell_name: str, *states: float) -> list[float]:
    cell = CELLS[cell_name]
    given = [torch.full((1, 1, 1), value, dtype=torch.float64) for value in (X, *states)]
    return [tensor.item() for tensor in cell.step(*given, **parameters(list(cell.shapes(1, 1))))]


def test_rnn():
    assert step("rnn_tanh", H) == pytest.approx([tanh(X * 0.1 + H * 0.2 + 0.3)], rel=1e-14)
    assert step("rnn_relu", H) == pytest.approx([X * 0.1 + H * 0.2 + 0.3], rel=1e-14)
    assert step("rnn_relu", -10.0) == [0.0]


def test_lstm():
    I = sigmoid(X * 0.1 + H * 0.2 + 0.3)
    F = sigmoid(X * 0.4 + H * 0.5 + 0.6)
    O = sigmoid(X * 0.7 + H * 0.8 + 0.9)
    new_C = F * C + I * tanh(X * 1.0 + H * 1.1 + 1.2)
    assert step("lstm", H, C) == pytest.approx([O * tanh(new_C), new_C], rel=1e-14)


def test_gru_before():
    Z = sigmoid(X * 0.1 + H * 0.2 + 0.3)
    R = sigmoid(X * 0.4 + H * 0.5 + 0.6)
    candidate = tanh(X * 0.7 + (R * H) * 0.8 + 0.9)
    assert step("gru_before", H) == pytest.approx([Z * H + (1 - Z) * candidate], rel=1e-14)


def test_gru_after():
    Z = sigmoid(X * 0.1 + H * 0.2 + 0.3)
    R = sigmoid(X * 0.4 + H * 0.5 + 0.6)
    candidate = tanh(X * 0.7 + R * (H * 0.8 + 1.0) + 0.9)
    assert step("gru_after", H) == pytest.approx([Z * H + (1 - Z) * candidate], rel=1e-14)
