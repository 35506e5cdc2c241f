"""minGRU, Feng et al. 2024: gate and candidate depend on the input alone."""

import torch


def step(X, H, *, W_xz, b_z, W_xh, b_h):
    Z = torch.sigmoid(X @ W_xz + b_z)
    H_tilde = X @ W_xh + b_h
    return (1 - Z) * H + Z * H_tilde
