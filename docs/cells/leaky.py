import torch


def step(X, H, *, U, W_hh, b_h, leak=0.5):
    return (1 - leak) * H + leak * torch.tanh(X @ U + H @ W_hh + b_h)


def shapes(I, H):
    return {"U": (I, H), "W_hh": (H, H), "b_h": (1, H)}


def init(name, shape, generator):
    if name == "U":
        return torch.randn(shape, generator=generator) / 10
    return torch.eye(*shape) if name == "W_hh" else None
