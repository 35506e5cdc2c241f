"""Exact perplexity of a held-out text: one pass, the state carried from beginning to end.

Shapes: N tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnlab.engines.eager import Eager
from rnnlab.metrics import perplexity
from rnnlab.model import Model, Parameters
from rnnlab.shapes import Integer

CHUNK = 1 << 16  # numbers in the logits of the time steps taken at once; does not change the figure


@torch.inference_mode()
def evaluate(model: Model, parameters: Parameters, tokens: Integer[Tensor, " N"]) -> float:
    """The perplexity of tokens 1..N-1, each given all before it; one lane."""
    like = parameters["W_hq"]
    engine = Eager(model)
    state = model.zero_state(1, 1, like.dtype, like.device)
    nats = torch.zeros((), dtype=torch.float64, device=like.device)
    T = max(1, CHUNK // model.vocab_size)
    for start in range(0, len(tokens) - 1, T):
        window = tokens[start : start + T + 1].long()
        logits, state = engine.forward(parameters, window[None, None, :-1], state)
        nats += cross_entropy(logits[0, :, 0].double(), window[1:], reduction="sum")
    return perplexity(nats.item(), len(tokens) - 1)
