"""Text from a trained model: warm up on the prefix, then one token at a time.

Shapes: V vocabulary. One lane, batch of one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rnnlab.model import Model, Parameters, layer_parameters
from rnnlab.shapes import Float


@torch.inference_mode()
def generate(
    model: Model,
    parameters: Parameters,
    prefix: list[int],
    length: int,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> list[int]:
    """The prefix and `length` tokens after it.

    temperature 0 takes the arg max; else tokens are drawn from softmax(logits / temperature),
    among the `top_k` likeliest if that is given.
    """
    layers = [layer_parameters(parameters, layer) for layer in range(model.num_layers)]
    like = parameters["W_hq"]
    state = list(model.zero_state(1, 1, like.dtype, like.device))

    def step(token: int) -> Float[Tensor, " V"]:
        index = torch.tensor([[token]], device=like.device)
        output = one_hot(index, model.vocab_size).to(like.dtype)
        for layer, weights in enumerate(layers):
            state[layer] = model.cell.step(output, *state[layer], **weights)
            output = state[layer][0]
        return (output @ parameters["W_hq"] + parameters["b_q"])[0, 0]

    for token in prefix[:-1]:  # warm up: what the model says here is not used
        step(token)
    tokens = list(prefix)
    for _ in range(length):
        tokens.append(choose(step(tokens[-1]), temperature, top_k, generator))
    return tokens


def choose(
    logits: Float[Tensor, " V"],
    temperature: float,
    top_k: int | None,
    generator: torch.Generator | None,
) -> int:
    """One token: the arg max at temperature 0, else a draw."""
    if temperature == 0:
        return int(logits.argmax())
    values, indices = logits.double().cpu().topk(min(top_k or len(logits), len(logits)))
    weights = torch.softmax((values - values[0]) / temperature, 0)  # the largest stays finite
    drawn = torch.multinomial(weights, 1, generator=generator)
    return int(indices[drawn])
