"""Exact perplexity of a held-out text: one pass, the state carried from beginning to end.

Shapes: N tokens, R rows, T time steps taken at once, n predictions, V vocabulary, A answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.engines import reading
from rnnlab.nn.model import Parameters
from rnnlab.training.metrics import perplexity

STEPS = 1024  # taken at once at most, so that the buffers do not grow with the text
LOGITS = 1 << 22  # at once at most, so that they grow with a large vocabulary no further
ROWS, TOKENS = 64, 1 << 13  # at once at most, where many short texts are evaluated


def evaluate(parameters: Parameters, tokens: Integer[Tensor, " N"]) -> float:
    """The perplexity of tokens 1..N-1, each given all before it; one lane."""
    return perplexity(nats(parameters, tokens), len(tokens) - 1)


@torch.inference_mode()
def nats(parameters: Parameters, tokens: Integer[Tensor, " N"]) -> float:
    """What these tokens cost together."""
    total = torch.zeros((), dtype=torch.float64, device=parameters.flat.device)
    for logits, targets in _predictions(parameters, tokens[None]):
        total += cross_entropy(logits.double(), targets, reduction="sum")
    return total.item()


@dataclass(frozen=True)
class Score:
    """How well many short texts are known."""

    nats: float  # a token
    accuracy: float | None  # share of the answers that are right; None where there are none


@torch.inference_mode()
def score(
    parameters: Parameters,
    rows: Integer[Tensor, "R N"],
    answers: Integer[Tensor, " A"],
    between: Callable[[], None] = lambda: None,
) -> Score:
    """Each row from the zero state. An answer is right where it is the likeliest of all answers.

    `between` is called after each TOKENS or fewer: what it raises ends the evaluation.
    """
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    asked = right = 0
    for part in rows.split(ROWS):
        for logits, targets in _predictions(parameters, part):
            total += cross_entropy(logits.double(), targets, reduction="sum")
            is_answer = torch.isin(targets, answers)
            if len(answers):
                likeliest = answers[logits[is_answer][:, answers].argmax(1)]
                asked += len(likeliest)
                right += int((likeliest == targets[is_answer]).sum())
            between()
    tokens = len(rows) * (rows.shape[1] - 1)
    return Score(total.item() / tokens, right / asked if asked else None)


def _predictions(
    parameters: Parameters, rows: Integer[Tensor, "R N"]
) -> Iterator[tuple[Float[Tensor, "n V"], Integer[Tensor, " n"]]]:
    """Logits, in a buffer until the next ones, and the tokens that came; some at a time."""
    model, (R, N) = parameters.model, rows.shape
    state = parameters.first_state(R)
    engine = reading(model.cell)
    steps = max(1, min(STEPS, TOKENS // R, LOGITS // (R * model.vocab_size)))
    forward = None
    for start in range(0, N - 1, steps):
        window = rows[:, start : start + steps + 1].long()
        T = window.shape[1] - 1
        if forward is None or steps > T:  # the last steps are fewer
            forward = engine.forward_pass(parameters, T, B=R)
        logits, state = forward(window[None, :, :-1], state)
        yield logits[0], window[:, 1:].T.flatten()
