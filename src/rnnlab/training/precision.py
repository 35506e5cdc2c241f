"""fp32, tf32, bf16, fp64: what parameters are kept in, and what products are taken in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from rnnlab._common.choices import register, registered
from rnnlab._common.late import torch


@dataclass(frozen=True)
class Precision:
    """Loss, clipping and updates are in the parameters' type always."""

    meaning: str
    parameters_type: str = "float32"
    products_type: str = "float32"
    tf32: bool = False  # a GPU's fp32 products may round their factors to 10 bits

    @property
    def parameters(self) -> torch.dtype:
        return getattr(torch, self.parameters_type)

    @property
    def products(self) -> torch.dtype:
        return getattr(torch, self.products_type)

    @property
    def bytes(self) -> int:
        """Of a parameter."""
        return int(self.parameters_type.removeprefix("float")) // 8

    @property
    def copies(self) -> int:
        """Of a parameter and its gradient in the products' type, as parameters: two halves."""
        return int(self.products_type != self.parameters_type)

    @property
    def wants(self) -> str | None:
        """The type of device that alone has it."""
        return "cuda" if self.tf32 else None


for name, precision in {
    "fp32": Precision("single precision"),
    "tf32": Precision("products of 10 bits, on a GPU only", tf32=True),
    "bf16": Precision("products of 8 bits, parameters in fp32", products_type="bfloat16"),
    "fp64": Precision("double precision", "float64", "float64"),
}.items():
    register("precision", name, precision)

PRECISIONS: Mapping[str, Precision] = registered("precision")


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
