"""How far back a loss reaches: vanishing and exploding gradients, made visible.

Shapes: K lanes, B sequences, T time steps, n losses taken at once, R = n B rows, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look, nats, unrolled

SEQUENCES = 8  # of the probe
NUMBERS = 1 << 24  # that are kept at once, of all lanes


@known
class GradientLag(Instrument):
    """The mean over t and sequences of ||dL_t / dh_{t-k}||, for every lag k, layer and state.

    L_t is the cost of the target at t in nats, h_s a state that the step at s returned. All that is
    computed from it counts, by the same step too: of an LSTM's C its H = O tanh(C), so that lag 0
    is dL_t/dC_t. Hochreiter 1991, Bengio et al. 1994, Pascanu et al. 2013.
    """

    kind = Kind.curve
    title = "Gradient of a loss with respect to the state k steps earlier"
    caption = (
        "A straight fall is a gradient that vanishes exponentially: what was read that long ago "
        "cannot be learned from; a rise is one that explodes."
    )
    x = "lag k in time steps"
    y = "mean norm of dL_t/dh_{t-k}"
    is_logarithmic = True

    def measure(self, look: Look) -> dict[str, Tensor]:
        cell, windows = look.parameters.model.cell, look.windows[:, :SEQUENCES]
        names = [f"{layer}.{s}" for layer in range(len(look.states)) for s in cell.states]
        K, B, T = windows.shape[0], windows.shape[1], windows.shape[2] - 1
        sums = torch.zeros(len(names), K, T, dtype=torch.float64, device=windows.device)
        of_loss = K * B * T * look.parameters.model.num_hiddens * len(names) * 4
        for times in torch.arange(T).split(max(1, NUMBERS // of_loss)):
            norms = gradient_norms(look, windows, times)
            for i, t in enumerate(times.tolist()):
                sums[:, :, : t + 1] += norms[:, : t + 1, :, i].flip(1).sum(3).transpose(1, 2)
        pairs = B * torch.arange(T, 0, -1, device=windows.device)  # of a loss and a step, by lag
        return dict(zip(names, sums / pairs, strict=True))


def gradient_norms(look: Look, windows: Tensor, times: Tensor) -> Tensor:
    """(states, s, K, n, B): ||dL_t / dh_s|| for these t, zero for s > t.

    Each loss has rows of its own, so that one pass backwards has the gradients of all apart.
    """
    flat = look.parameters.flat
    n, (K, B, _), S = len(times), windows.shape, int(times[-1]) + 1
    own = look.parameters.like(flat.detach().requires_grad_())  # whence all states have derivatives
    rows = windows[:, None, :, : S + 1].expand(K, n, B, S + 1).flatten(1, 2)
    steps: list[list[tuple[Tensor, ...]]] = []
    with torch.enable_grad():
        states = unrolled(own, rows[..., :-1], steps)
        cost = nats(own, states, rows[..., 1:]).unflatten(1, (n, B))
        index = times.to(cost.device)[None, :, None, None].expand(K, n, B, 1)
        found = [H for layer in steps for state in zip(*layer, strict=True) for H in state]
        gradients = torch.autograd.grad(
            cost.gather(3, index).sum(), found, allow_unused=True, materialize_grads=True
        )
    norms = [torch.linalg.vector_norm(each, dim=-1, dtype=torch.float64) for each in gradients]
    return torch.stack(norms).unflatten(0, (-1, S)).unflatten(3, (n, B))
