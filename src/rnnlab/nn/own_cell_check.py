"""Is a cell of one's own one that can train in a stack? Asked once, before anything is trained.

It is run for a few steps on small sizes in fp64: shapes, finite numbers, the same again for the
same input, lanes and sequences that do not see each other, and gradients that are those of
differences.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnlab._common.errors import ConfigError, require
from rnnlab.nn.own_cell import OwnCell, mistake

K, B, I, H, T = 2, 3, 4, 5, 3  # lanes, sequences, inputs, hidden units, steps
ENTRIES = 3  # of each parameter, whose gradient is compared
NUDGE, CLOSE = 1e-6, 1e-4  # of a parameter, and how close the two derivatives are, relatively
ODD = 2  # entries of all that may lie at a kink, as of relu


def require_sound(cell: OwnCell) -> None:
    """Raises ConfigError, a sentence with file and line, for what could not train."""
    try:
        weights = _weights(cell)
        _require_shapes(cell, weights)
        _require_apart(cell, weights)
        _require_gradient(cell, weights)
    except ConfigError:
        raise
    except Exception as error:
        raise mistake(error, cell.file) from error


def _weights(cell: OwnCell) -> dict[str, Tensor]:
    shapes = cell.shapes(I, H)
    wanted, given = {*cell.parameters}, {*shapes}
    require(
        wanted == given,
        f"{cell.file}: shapes",
        f"it names {', '.join(sorted(given))}, and step takes {', '.join(sorted(wanted))}",
    )
    source = torch.Generator().manual_seed(0)
    return {
        name: 0.5 * torch.randn(K, *shape, generator=source, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def _run(cell: OwnCell, weights: dict[str, Tensor], X: Tensor) -> list[tuple[Tensor, ...]]:
    """The states after each of T steps, from zero; X is (T, K, B, I)."""
    states, found = tuple(X.new_zeros(K, B, H) for _ in cell.states), []
    for X_t in X:
        states = cell.step(X_t, *states, **weights)
        found.append(states)
    return found


def _input() -> Tensor:
    return torch.randn(T, K, B, I, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _require_shapes(cell: OwnCell, weights: dict[str, Tensor]) -> None:
    place, states = (
        _place(cell),
        cell.step(
            _input()[0],
            *(torch.zeros(K, B, H, dtype=torch.float64) for _ in cell.states),
            **weights,
        ),
    )
    names = ", ".join(cell.states)
    require(
        len(states) == len(cell.states),
        f"{place}: step returns {len(states)} values",
        f"it returns as many states as it takes: {names}",
    )
    for name, state in zip(cell.states, states, strict=True):
        shape = tuple(state.shape) if isinstance(state, Tensor) else type(state).__name__
        require(
            shape == (K, B, H),
            f"{place}: the new {name} has the shape {shape}",
            f"it is (K, B, H), here {(K, B, H)}",
        )
    for states in _run(cell, weights, _input()):
        for name, state in zip(cell.states, states, strict=True):
            finite = bool(state.isfinite().all())
            require(finite, f"{place}: {name}", "it is not finite, beginning with states of zero")


def _require_apart(cell: OwnCell, weights: dict[str, Tensor]) -> None:
    """What one lane or sequence is given changes no other one."""
    X, place = _input(), _place(cell)
    before = _run(cell, weights, X)[-1]
    again = _run(cell, weights, X)[-1]
    same = all(map(torch.equal, before, again))
    require(same, place, "step gives other values for the same input: it draws, or it remembers")
    for what, at in (("lane", (slice(None), 1)), ("sequence", (slice(None), slice(None), 2))):
        other = X.clone()
        other[at] += 1.0
        after = _run(cell, weights, other)[-1]
        kept = [state[0] if what == "lane" else state[:, :2] for state in before]
        now = [state[0] if what == "lane" else state[:, :2] for state in after]
        apart = all(map(torch.allclose, kept, now))
        rule = "K lanes and B sequences do not see each other; sum and normalise over -1 alone"
        require(apart, f"{place}: a {what} that changes another one", rule)


def _require_gradient(cell: OwnCell, weights: dict[str, Tensor]) -> None:
    """Autograd's derivative of a few entries is that of central differences."""
    X, source = _input(), torch.Generator().manual_seed(2)
    wanted = torch.randn(T, K, B, H, generator=source, dtype=torch.float64)

    def loss(own: dict[str, Tensor]) -> Tensor:
        outputs = torch.stack([states[0] for states in _run(cell, own, X)])
        return (wanted * outputs).sum()

    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    value = loss(leaves)
    place = _place(cell)
    require(value.requires_grad, place, "no gradient reaches its parameters: it leaves torch")
    found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    odd = []
    for (name, weight), gradient in zip(weights.items(), found, strict=True):
        for _ in range(ENTRIES):
            at = int(torch.randint(weight.numel(), (), generator=source))
            here = 0.0 if gradient is None else float(gradient.flatten()[at])
            there = _difference(loss, weights, name, at)
            if abs(here - there) > CLOSE * (1 + abs(there)):
                odd.append(f"d/d{name} is {here:.4g} and by differences {there:.4g}")
    require(len(odd) <= ODD, f"{place}: {'; '.join(odd[:2])}", "a part of it hides its gradient")


def _difference(
    loss: Callable[[dict[str, Tensor]], Tensor], weights: dict[str, Tensor], name: str, at: int
) -> float:
    ends = []
    for sign in (1, -1):
        moved = weights[name].clone()
        moved.view(-1)[at] += sign * NUDGE
        ends.append(float(loss(weights | {name: moved})))
    return (ends[0] - ends[1]) / (2 * NUDGE)


def _place(cell: OwnCell) -> str:
    return f"{cell.file}, line {cell.functions['step'].__code__.co_firstlineno}"
