"""Loss and gradients of a stack of lanes by hand, without autograd: the engine `fused`.

`layers` derives each cell's passes over time, `buffers` has what they work in, `network` is the
whole. Nothing here imports torch, because planning asks which cells are derived.
"""

from typing import NamedTuple


class Derived(NamedTuple):
    """What planning knows of a derived layer."""

    layer: str  # its class in `layers`
    series: int  # numbers that it keeps for each token and hidden unit: outputs, gates, gradients


# by the forms of cells (Cell.form)
LAYERS = {
    "rnn_tanh": Derived("TanhLayer", 3),
    "rnn_relu": Derived("ReluLayer", 3),
    "lstm": Derived("LSTMLayer", 8),
    "gru_before": Derived("GRUBeforeLayer", 6),
    "gru_after": Derived("GRUAfterLayer", 8),
}
