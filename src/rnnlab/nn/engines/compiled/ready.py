"""For a process that others are forked from."""

from __future__ import annotations

import torch

from rnnlab._common.kernel import is_compiled
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines import compiled
from rnnlab.nn.engines.compiled.network import Compiled
from rnnlab.nn.model import Model


def load_kernels() -> None:
    """Load what is kept, by a minibatch of one token: half a second of a process's first one."""
    if not is_compiled(compiled):
        return
    model = Model(cell=CELLS["rnn_tanh"], vocab_size=1, num_hiddens=1)
    parameters = model.init([0], torch.float32, torch.device("cpu"))
    token = torch.zeros(1, 1, 1, dtype=torch.int64)
    state = model.zero_state(1, 1, torch.float32, torch.device("cpu"))
    Compiled(threads=1).loss_and_gradients(parameters, token, token, state)
