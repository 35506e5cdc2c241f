"""Exact perplexity of a held-out text: one pass, the state carried from beginning to end.

Shapes: N tokens, T time steps taken at once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnlab._common.shapes import Integer
from rnnlab.nn.engines import reading
from rnnlab.nn.model import Parameters
from rnnlab.training.metrics import perplexity

STEPS = 1024  # taken at once at most, so that the buffers do not grow with the text
LOGITS = 1 << 22  # at once at most, so that they grow with a large vocabulary no further


def evaluate(parameters: Parameters, tokens: Integer[Tensor, " N"]) -> float:
    """The perplexity of tokens 1..N-1, each given all before it; one lane."""
    return perplexity(nats(parameters, tokens), len(tokens) - 1)


@torch.inference_mode()
def nats(parameters: Parameters, tokens: Integer[Tensor, " N"]) -> float:
    """What these tokens cost together."""
    model, flat = parameters.model, parameters.flat
    state = model.zero_state(1, 1, flat.dtype, flat.device)
    total = torch.zeros((), dtype=torch.float64, device=flat.device)
    engine = reading(model.cell)
    steps = max(1, min(STEPS, LOGITS // model.vocab_size))
    forward = None
    for start in range(0, len(tokens) - 1, steps):
        window = tokens[start : start + steps + 1].long()
        T = len(window) - 1
        if forward is None or steps > T:  # the last steps are fewer
            forward = engine.forward_pass(parameters, T, B=1)
        logits, state = forward(window[None, None, :-1], state)
        total += cross_entropy(logits[0].double(), window[1:], reduction="sum")
    return total.item()
