"""Texts from a trained model: warm up on the prefixes, then one token at a time, many at once.

Shapes: K lanes, B texts, V vocabulary, U distinct tokens among B. Texts are one lane's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.model import Parameters
from rnnlab.nn.seeding import generator

AT_ONCE = 1 << 22  # logits, states and tokens of the texts that are generated together


@torch.inference_mode()
def generate(
    parameters: Parameters,
    prefixes: list[list[int]],
    length: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
) -> list[list[int]]:
    """Every prefix and `length` tokens after it.

    temperature 0 takes the arg max; else tokens are drawn from softmax(logits / temperature),
    among the `top_k` likeliest and the nucleus `top_p` (see choose) if these are given. Text b
    draws from a stream of its own, so it does not depend on the others.
    """
    model = parameters.model
    width = max(map(len, prefixes)) + length
    of_text = model.vocab_size + model.num_layers * model.num_hiddens + width
    together = max(1, AT_ONCE // of_text)
    texts = []
    for first in range(0, len(prefixes), together):
        part = prefixes[first : first + together]
        streams = [generator(seed, "generation", first + b) for b in range(len(part))]
        texts += _together(parameters, part, length, temperature, top_k, top_p, streams)
    return texts


def _together(
    parameters: Parameters,
    prefixes: list[list[int]],
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    streams: list[torch.Generator],
) -> list[list[int]]:
    flat = parameters.flat
    state = list(parameters.first_state(len(prefixes)))
    lengths = torch.tensor([len(prefix) for prefix in prefixes], device=flat.device)
    width = max(map(len, prefixes)) + length
    padded = [prefix + [0] * (width - len(prefix)) for prefix in prefixes]
    tokens = torch.tensor(padded, device=flat.device)

    for t in range(width - 1):
        output = advance(parameters, tokens[:, t], state)
        logits = (output @ parameters.W_hq + parameters.b_q)[0]
        chosen = choose(logits, temperature, top_k, top_p, streams)
        # while a prefix lasts, what the model says is not used
        tokens[:, t + 1] = torch.where(t + 1 < lengths, tokens[:, t + 1], chosen)
    ends = (len(prefix) + length for prefix in prefixes)
    return [text[:end] for text, end in zip(tokens.tolist(), ends, strict=True)]


def advance(
    parameters: Parameters, tokens: Integer[Tensor, " B"], state: list[tuple[Tensor, ...]]
) -> Float[Tensor, "1 B H"]:
    """One time step of all layers, from `state` to the next, which takes its place there.

    Returns the last layer's output.
    """
    cell = parameters.model.cell
    output, weights = entering(parameters, tokens[None])
    for layer in range(parameters.model.num_layers):
        weights = parameters.layer(layer) if layer else weights
        state[layer] = cell.step(output, *state[layer], **weights)
        output = state[layer][0]
    return output


def entering(
    parameters: Parameters, tokens: Integer[Tensor, "K ... B"]
) -> tuple[Float[Tensor, "K ... B U"], dict[str, Tensor]]:
    """The first layer's input and weights, as if the vocabulary were the tokens at hand.

    one_hot(X) W_x is rows of W_x: with the rows of U distinct tokens it takes no memory for the
    others, and gives the same bits. Of tied weights U is H: a token is its column of W_hq.
    """
    cell, weights = parameters.model.cell, parameters.layer(0)
    if cell.tied:
        return parameters.embedded(tokens), weights
    distinct, place = tokens.unique(return_inverse=True)
    rows = {name: weights[name][:, distinct] for name in cell.input_weights()}
    one_hot = parameters.flat.new_ones(len(distinct)).diag()
    return one_hot[place], weights | rows


def choose(
    logits: Float[Tensor, "B V"],
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    streams: list[torch.Generator],
) -> Integer[Tensor, " B"]:
    """A token for each text: the arg max at temperature 0, else a draw.

    `top_k` leaves the k likeliest tokens (and their equals), `top_p` then the smallest number of
    the likeliest whose probabilities reach p together (Holtzman et al. 2020). The arg max of
    logits / temperature + Gumbel noise is a draw from the softmax (Gumbel 1954).
    """
    if temperature == 0:
        return logits.argmax(1)
    logits = logits.double()
    logits = (logits - logits.max(1, keepdim=True).values) / temperature
    if top_k is not None:
        least = logits.topk(min(top_k, logits.shape[1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p is not None:
        falling, order = logits.softmax(1).sort(stable=True, dim=1, descending=True)
        before = falling.cumsum(1) - falling  # of the likelier ones together
        left_out = torch.empty_like(order, dtype=torch.bool).scatter_(1, order, before >= top_p)
        logits = logits.masked_fill(left_out, -torch.inf)
    uniform = [torch.rand(logits.shape[1], dtype=torch.float64, generator=s) for s in streams]
    gumbel = -(-torch.stack(uniform).log()).log().to(logits.device)
    return (logits + gumbel).argmax(1)
