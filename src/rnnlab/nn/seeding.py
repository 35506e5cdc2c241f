"""One seed -> named, independent random streams, the same on every device.

A stream is addressed, not carried along: the generator of (seed, "sampler", epoch 7) is made
anew when epoch 7 begins. So there is no random state to save, and a run that is continued in the
middle draws what the uninterrupted run would have drawn.
"""

import hashlib

import torch


def generator(seed: int, *address: str | int) -> torch.Generator:
    """A CPU generator for one purpose, for example generator(seed, "dropout", epoch, minibatch).

    Numbers are drawn on the CPU, so that a GPU sees the same initial weights and minibatches.
    """
    digest = hashlib.sha256(repr((seed, *address)).encode()).digest()
    # torch's Mersenne twister starts from 32 bits
    return torch.Generator().manual_seed(int.from_bytes(digest[:4]))
