"""A minibatch's rows there and back through all layers, in one call that needs no interpreter.

Shapes as in `buffers`. p (P,) are a lane's parameters, and g (P,) their gradients, of which
`places` tells where each begins.
"""

from __future__ import annotations

from typing import Any

from rnnlab._common.kernel import kernel, part
from rnnlab.nn.engines.compiled.cells import GRU_AFTER, GRU_BEFORE, back, forth
from rnnlab.nn.engines.compiled.edges import (
    add_looked_up,
    copy,
    fill,
    look_up,
    loss,
    masked,
    products,
    sum_products,
    sum_rows,
)
from rnnlab.nn.engines.compiled.products import pack, pack_transposed

W_X, W_H, B, B_HH = range(4)  # of a layer in `places`
W_HQ, B_Q = range(2)  # of the last row


@part
def take(p: Any, places: Any, packed: Any) -> None:
    """Pack the weights of a lane."""
    L, G, _, H, _ = packed.W_h.shape
    V = packed.W_hq_T.shape[1]
    for l in range(L):
        for gate in range(G):
            W_h = p[places[l, W_H] + gate * H :]
            pack(W_h, G * H, H, packed.W_h[l, gate])
            pack_transposed(W_h, G * H, H, packed.W_h_T[l, gate])
            if l > 0:
                W_x = p[places[l, W_X] + gate * H :]
                pack(W_x, G * H, H, packed.W_x[l - 1, gate])
                pack_transposed(W_x, G * H, H, packed.W_x_T[l - 1, gate])
    W_hq = p[places[L, W_HQ] :]
    pack(W_hq, V, V, packed.W_hq)
    pack_transposed(W_hq, V, H, packed.W_hq_T)
    copy(packed.b_q, p[places[L, B_Q] :], V)


@part
def below(l: int, own: Any) -> Any:
    """The input of layer l > 0."""
    return own.inputs[l - 1] if len(own.inputs) else own.S[l - 1, 0, 1:]


@part
def forward(form: int, p: Any, places: Any, packed: Any, own: Any, X: Any, masks: Any) -> None:
    """The logits of tokens X (B, T), in O; masks (., T, B, H) of what lies between layers."""
    L, G, _, H, _ = packed.W_h.shape
    for l in range(L):
        if l > 0 and len(own.inputs):
            masked(own.inputs[l - 1], own.S[l - 1, 0, 1:], masks[l - 1])
        for gate in range(G):
            A, b = own.A[l, gate], p[places[l, B] + gate * H :][:H]
            if l == 0:
                look_up(A, p[places[l, W_X] + gate * H :], G * H, b, X)
            else:
                fill(A, b)
                products(A, below(l, own), packed.W_x[l - 1, gate], True)
        if form == GRU_AFTER:
            fill(own.S[l, 1], p[places[l, B_HH] :][:H])
        forth(form, own.A[l], own.S[l], packed.W_h[l])
    fill(own.O, packed.b_q)
    products(own.O, own.S[L - 1, 0, 1:], packed.W_hq, True)


@part
def backward(form: int, packed: Any, own: Any, Y: Any, masks: Any, share: float) -> float:
    """The sum of nats at targets Y (B, T); A and O get the gradients of `share` times it."""
    L, G, _, _, _ = packed.W_h.shape
    nats = loss(own.O, Y, share)
    for l in range(L - 1, -1, -1):
        own.dh[0] = 0
        from_above = own.dh[1:]
        if l == L - 1:
            products(from_above, own.O, packed.W_hq_T, False)
        else:
            for gate in range(G):
                products(from_above, own.A[l + 1, gate], packed.W_x_T[l, gate], gate > 0)
            if len(own.inputs):
                masked(from_above, from_above, masks[l])
        back(form, own.A[l], own.S[l], own.dh, own.d, packed.W_h_T[l])
    return nats


@part
def gradients(form: int, g: Any, places: Any, packed: Any, own: Any, X: Any) -> None:
    """Of all parameters, from what `backward` left."""
    L, G, _, H, _ = packed.W_h.shape
    V = packed.W_hq_T.shape[1]
    for l in range(L):
        for gate in range(G):
            A, before = own.A[l, gate], own.S[l, 0, :-1]
            dW_x, dW_h = g[places[l, W_X] + gate * H :], g[places[l, W_H] + gate * H :]
            left, right = before, A  # of the product by W_h
            if gate == 2 and form == GRU_BEFORE:
                left = own.S[l, 1, :-1]
            if gate == 2 and form == GRU_AFTER:
                right = own.S[l, 1, :-1]
            sum_products(dW_h, G * H, H, H, left, right, own.sums, own.right)
            sum_rows(A, g[places[l, B] + gate * H :][:H], own.sums)
            if l > 0:
                sum_products(dW_x, G * H, H, H, below(l, own), A, own.sums, own.right)
                continue
            for token in range(V):
                dW_x[token * G * H :][:H] = 0
            add_looked_up(dW_x, G * H, H, A, X)
        if form == GRU_AFTER:
            sum_rows(own.S[l, 1, :-1], g[places[l, B_HH] :][:H], own.sums)
    dW_hq = g[places[L, W_HQ] :]
    sum_products(dW_hq, V, H, V, own.S[L - 1, 0, 1:], own.O, own.sums, own.right)
    sum_rows(own.O, g[places[L, B_Q] :][:V], own.sums)


@part
def copy_states(to: Any, source: Any, states: int, H: int) -> None:
    """Between (L, ., B, .) and (L, ., B, .), the first of each layer and H numbers of a row."""
    L, _, B, _ = source.shape
    for l in range(L):
        for i in range(states):
            for row in range(B):
                copy(to[l, i, row], source[l, i, row], H)


@kernel
def train(
    form: int, lanes: Any, lo: int, hi: int, p: Any, g: Any, places: Any, packed: Any, own: Any,
    X: Any, Y: Any, masks: Any, share: float, before: Any, after: Any, nats: Any,
) -> None:  # fmt: skip
    """Gradients (K, P) of rows lo..hi-1 of these lanes, the states after them, sums of nats (K,).

    X and Y are (K, B, T), masks (., K, T, B, H), states (L, ., K, B, H).
    """
    _, states, _, _, H = before.shape
    for k in lanes:
        x, masked_by = X[k, lo:hi], masks[:, k, :, lo:hi]
        take(p[k], places, packed)
        copy_states(own.S[:, :, 0], before[:, :, k, lo:hi], states, H)
        forward(form, p[k], places, packed, own, x, masked_by)
        nats[k] = backward(form, packed, own, Y[k, lo:hi], masked_by, share)
        gradients(form, g[k], places, packed, own, x)
        copy_states(after[:, :, k, lo:hi], own.S[:, :, -1], states, H)
