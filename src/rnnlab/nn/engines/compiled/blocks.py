"""How a minibatch's rows are cut for threads: by its own sizes, not by how many there are.

Imports no torch: a study is planned by it.
"""

from __future__ import annotations

from rnnlab.nn.spec import Spec

BLOCK = 8  # rows: enough for products to be as fast as the processor
NEAR = 1 << 18  # weights of a step that a core's cache keeps; else twice the rows share each read
WORTH_SHARING = 5e7  # FLOP of which a part is worth the waking of a thread; see docs/decisions.md


def blocks(spec: Spec, B: int, T: int, worth_sharing: float = WORTH_SHARING) -> list[slice]:
    """A lane's batch rows, for one thread each; all together where they are little work."""
    rows = BLOCK if spec.cell.num_gates * spec.num_hiddens**2 < NEAR else 2 * BLOCK
    rows = rows if flop(spec, B * T) >= worth_sharing else B
    return [slice(first, min(first + rows, B)) for first in range(0, B, rows)]


def flop(spec: Spec, N: int) -> int:
    """Of the products of a lane's minibatch of N tokens."""
    H, V, L = spec.num_hiddens, spec.vocab_size, spec.num_layers
    return 6 * N * H * (H * spec.cell.num_gates * (2 * L - 1) + V)
