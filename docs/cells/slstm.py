"""sLSTM, Beck et al. 2024: exponential gates, M their largest exponent so far."""

import torch
from torch.nn.functional import logsigmoid


def step(X, H, C, N, M, *, W_xi, W_hi, b_i, W_xf, W_hf, b_f, W_xo, W_ho, b_o, W_xz, W_hz, b_z):
    log_I = X @ W_xi + H @ W_hi + b_i
    log_F = logsigmoid(X @ W_xf + H @ W_hf + b_f)
    O = torch.sigmoid(X @ W_xo + H @ W_ho + b_o)
    Z = torch.tanh(X @ W_xz + H @ W_hz + b_z)
    M_new = torch.maximum(log_F + M, log_I)
    I, F = torch.exp(log_I - M_new), torch.exp(log_F + M - M_new)
    C = F * C + I * Z
    N = F * N + I
    return O * C / N, C, N, M_new
