"""An order of n numbers that is computed, where keeping one would fill the memory.

A Feistel network is a permutation whatever its round function is (Luby and Rackoff 1988). It works
on numbers of 2w bits; what falls beyond n is put through it again until it does not ("cycle
walking", Black and Rogaway 2002), which takes fewer than four rounds on average.
"""

from __future__ import annotations

from rnnlab._common.late import torch
from rnnlab._common.shapes import Integer, Tensor

ROUNDS = 6
MULTIPLIER = 0xD6E8FEB86659FD93 - (1 << 64)  # of degski64, as a signed number


class Permutation:
    """Of 0..n-1, with keys from a generator."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n = n
        self.w = max(1, ((n - 1).bit_length() + 1) // 2)  # bits of a half
        keys = torch.randint(1 << 62, (ROUNDS,), generator=generator)
        self.keys: list[int] = keys.tolist()

    def __call__(self, i: Integer[Tensor, "*n"]) -> Integer[Tensor, "*n"]:
        """Where the numbers i stand in the order."""
        place = self._once(i)
        while len(beyond := (place.flatten() >= self.n).nonzero()[:, 0]):
            place.view(-1)[beyond] = self._once(place.view(-1)[beyond])
        return place

    def _once(self, i: Integer[Tensor, "*n"]) -> Integer[Tensor, "*n"]:
        low = (1 << self.w) - 1
        left, right = i >> self.w, i & low
        for key in self.keys:
            left, right = right, left ^ (_mixed(right + key) & low)
        return (left << self.w) | right


def _mixed(x: Integer[Tensor, "*n"]) -> Integer[Tensor, "*n"]:
    """degski64, by which every bit of 64 depends on every one of them; products wrap around."""
    for _ in range(2):
        x = (x ^ ((x >> 32) & 0xFFFFFFFF)) * MULTIPLIER
    return x ^ ((x >> 32) & 0xFFFFFFFF)
