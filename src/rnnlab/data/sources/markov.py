"""A Markov chain of any order, with random transitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.drawn import Drawn
from rnnlab.data.machine import Machine
from rnnlab.data.synthetic import SYMBOLS, TABLE, Draws, codes_of, require_symbols

MOST_STATES = 4096


@choice("markov")
@dataclass(frozen=True, kw_only=True)
class Markov(Drawn):
    """Each symbol depends on the `order` symbols before it, and on nothing else.

    P(x | s) is proportional to w^(1 / temperature) with w exponential: at temperature 1 uniform
    among all distributions (Dirichlet's with all ones), towards 0 one symbol is certain, far above
    1 all are as likely. The entropy rate is sum_s pi_s H(X | s), pi the stationary distribution of
    the symbols**order states (Shannon 1948, theorem 5; Cover and Thomas 2006, theorem 4.2.4).
    """

    name: str = "markov"
    symbols: int = knob("how many there are", at_least=2)
    order: int = knob("symbols that the next one depends on", at_least=1, at_most=12)
    temperature: float = knob("of the transitions: low is predictable, high is even", at_least=0.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_symbols(self.symbols)
        states = self.symbols**self.order
        require(
            states <= MOST_STATES,
            f"dataset.symbols={self.symbols} with dataset.order={self.order}",
            f"these are {states} states, and at most {MOST_STATES} can be solved for; take fewer "
            "symbols or a lower order",
        )

    @cached_property
    def automaton(self) -> Machine:
        """A state is the last symbols as a number, the latest its lowest digit."""
        A, S = self.symbols, self.symbols**self.order
        weights = -np.log1p(-Draws(self.seed, TABLE).uniform(S, A))
        powers = (weights / weights.max(1, keepdims=True)) ** (1 / self.temperature)
        source, symbol = np.divmod(np.arange(S * A), A)
        return Machine(
            source=source,
            symbol=codes_of(SYMBOLS)[symbol],
            target=(source * A + symbol) % S,
            probability=(powers / powers.sum(1, keepdims=True)).ravel(),
        )
