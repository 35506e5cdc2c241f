"""What whoever knows a machine pays for its text: minus the logarithm of the probability.

Shapes: R rows of n symbols, S states, A symbols.

Each row is read by itself. Which state the machine was in before it is not known: each is as likely
as the share of the time that the machine spends there. What is known of it later comes from the row
alone, by the forward algorithm (Rabiner 1989).
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from rnnlab.data.machine import Floats, Machine
from rnnlab.data.synthetic import Codes

AT_ONCE = 1 << 21  # numbers in memory
CODES = 128  # of ASCII


def nats(machine: Machine, rows: Codes) -> float:
    """Of all symbols of the rows (R, n) together but each row's first, which is given."""
    S, is_unifilar = machine.num_states, machine.is_unifilar
    pay, width = (_unifilar, S) if is_unifilar else (_hidden, S * S)
    parts = np.array_split(rows, 1 + len(rows) * width // AT_ONCE)
    return sum(pay(machine, part) for part in parts if part.size)


def _unifilar(machine: Machine, rows: Codes) -> float:
    """Each state that a row may have begun in is followed, until all have come to the same one."""
    target = np.zeros((machine.num_states, CODES), np.intp)
    chance = np.zeros(target.shape)
    target[machine.source, machine.symbol] = machine.target
    chance[machine.source, machine.symbol] = machine.probability
    states = np.tile(np.arange(len(target)), (len(rows), 1))  # (R, S)
    weights, paid = np.tile(machine.stationary, (len(rows), 1)), 0.0
    for i, symbols in enumerate(rows.T[:, :, None]):
        if i and _is_one(states, weights):
            break
        weights, nats = _normed(weights * chance[states, symbols])
        states, paid = target[states, symbols], paid + (nats if i else 0.0)
    else:
        return paid
    now = np.take_along_axis(states, weights.argmax(1)[:, None], 1)[:, 0]
    steps = [dict[int, int]() for _ in target]
    for source, symbol, end in zip(machine.source, machine.symbol, machine.target, strict=True):
        steps[source][symbol] = int(end)
    for state, row in zip(now.tolist(), rows[:, i:], strict=True):
        taken = accumulate(row.tolist(), lambda at, symbol: steps[at][symbol], initial=state)
        passed = np.fromiter(taken, np.intp, len(row) + 1)[:-1]
        paid -= float(np.log(chance[passed, row]).sum())
    return paid


def _is_one(states: np.ndarray, weights: Floats) -> bool:
    """In every row all that is possible is one state."""
    is_possible = weights > 0
    low = np.where(is_possible, states, states.max()).min(1)
    return bool((low == np.where(is_possible, states, 0).max(1)).all())


def _hidden(machine: Machine, rows: Codes) -> float:
    """By products of the symbols' matrices, so many symbols at once."""
    symbols, matrices = machine.matrices
    place = np.zeros(CODES, np.intp)
    place[symbols] = np.arange(len(symbols))
    (R, n), S = rows.shape, machine.num_states
    at_once, paid = max(1, AT_ONCE // (R * S * S)), 0.0
    belief, _ = _normed(machine.stationary @ matrices[place[rows[:, 0]]])
    for i in range(1, n, at_once):
        product, scale = _product(matrices[place[rows[:, i : i + at_once]]])
        belief, nats = _normed(np.einsum("rs,rst->rt", belief, product))
        paid += nats - scale
    return paid


def _product(matrices: Floats) -> tuple[Floats, float]:
    """Of each row of (R, n, S, S), scaled, and the logarithm of what they all were divided by."""
    scale = 0.0
    while (n := matrices.shape[1]) > 1:
        pairs, last = n // 2 * 2, matrices[:, n // 2 * 2 :]
        products = matrices[:, :pairs:2] @ matrices[:, 1:pairs:2]
        largest = products.max((2, 3), keepdims=True)
        scale += float(np.log(largest).sum())
        matrices = np.concatenate([products / largest, last], 1)
    return matrices[:, 0], scale


def _normed(weights: Floats) -> tuple[Floats, float]:
    """Rows that sum to 1, and minus the logarithm of what they summed to, all together."""
    whole = weights.sum(1, keepdims=True)
    return weights / whole, -float(np.log(whole).sum())
