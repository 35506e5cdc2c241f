"""Texts from a trained model: warm up on the prefixes, then one token at a time, all at once.

Shapes: B texts, V vocabulary. One lane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.model import Parameters
from rnnlab.nn.seeding import generator


@torch.inference_mode()
def generate(
    parameters: Parameters,
    prefixes: list[list[int]],
    length: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    seed: int = 0,
) -> list[list[int]]:
    """Every prefix and `length` tokens after it.

    temperature 0 takes the arg max; else tokens are drawn from softmax(logits / temperature),
    among the `top_k` likeliest if that is given. Text b draws from a stream of its own, so
    it does not depend on the others.
    """
    model, flat = parameters.model, parameters.flat
    layers = [parameters.layer(layer) for layer in range(model.num_layers)]
    state = list(model.zero_state(1, len(prefixes), flat.dtype, flat.device))
    streams = [generator(seed, "generation", b) for b in range(len(prefixes))]
    lengths = torch.tensor([len(prefix) for prefix in prefixes], device=flat.device)
    width = max(map(len, prefixes)) + length
    padded = [prefix + [0] * (width - len(prefix)) for prefix in prefixes]
    tokens = torch.tensor(padded, device=flat.device)
    one_hot = torch.eye(model.vocab_size, dtype=flat.dtype, device=flat.device)

    for t in range(width - 1):
        output = one_hot[tokens[None, :, t]]
        for layer, weights in enumerate(layers):
            state[layer] = model.cell.step(output, *state[layer], **weights)
            output = state[layer][0]
        logits = (output @ parameters.W_hq + parameters.b_q)[0]
        chosen = choose(logits, temperature, top_k, streams)
        # while a prefix lasts, what the model says is not used
        tokens[:, t + 1] = torch.where(t + 1 < lengths, tokens[:, t + 1], chosen)
    ends = (len(prefix) + length for prefix in prefixes)
    return [text[:end] for text, end in zip(tokens.tolist(), ends, strict=True)]


def choose(
    logits: Float[Tensor, "B V"],
    temperature: float,
    top_k: int | None,
    streams: list[torch.Generator],
) -> Integer[Tensor, " B"]:
    """A token for each text: the arg max at temperature 0, else a draw.

    The arg max of logits / temperature + Gumbel noise is a draw from the softmax (Gumbel 1954).
    """
    if temperature == 0:
        return logits.argmax(1)
    logits = logits.double()
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    uniform = [torch.rand(logits.shape[1], dtype=torch.float64, generator=s) for s in streams]
    gumbel = -(-torch.stack(uniform).log()).log().to(logits.device)
    return (logits / temperature + gumbel).argmax(1)
