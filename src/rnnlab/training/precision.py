"""fp32, tf32, bf16, fp64: what parameters are kept in, and what products are taken in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Precision:
    """Loss, clipping and updates are in the parameters' type always."""

    parameters: torch.dtype
    products: torch.dtype
    tf32: bool = False  # a GPU's fp32 products may round their factors to 10 bits


PRECISIONS = {
    "fp32": Precision(torch.float32, torch.float32),
    "tf32": Precision(torch.float32, torch.float32, tf32=True),
    "bf16": Precision(torch.float32, torch.bfloat16),
    "fp64": Precision(torch.float64, torch.float64),
}


@contextmanager
def tf32_allowed(allowed: bool) -> Iterator[None]:
    """By default torch allows it for cuDNN and not for products: here for both or neither."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
