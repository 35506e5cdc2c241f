"""Loss and gradients of a stack of lanes by hand, without autograd: the engine `fused`.

`layers` derives each cell's passes over time, `buffers` has what they work in, `network` is the
whole. Nothing here imports torch, because planning asks which cells are derived.
"""

# the forms of cells (Cell.form) that are derived, and their classes in `layers`
LAYERS = {
    "rnn_tanh": "TanhLayer",
    "rnn_relu": "ReluLayer",
    "lstm": "LSTMLayer",
    "gru_before": "GRUBeforeLayer",
    "gru_after": "GRUAfterLayer",
}
