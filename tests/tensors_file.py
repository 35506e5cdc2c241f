"""A checkpoint taken apart and put together by hand, so that it can say what no library writes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I8": 1, "U8": 1, "BOOL": 1}
SIZES |= {"C64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
NAMES |= {"I64": "int64", "I8": "int8", "U8": "uint8", "BOOL": "bool", "C64": "complex64"}
NAMES |= {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"}


@dataclass
class Stored:
    """A tensor; `size` is how many bytes the file says that it has, whatever it has."""

    dtype: str
    shape: list[int]
    content: bytes
    size: int | None = None

    @classmethod
    def zeros(cls, dtype: str, shape: list[int]) -> Stored:
        return cls(dtype, shape, bytes(SIZES[dtype] * math.prod(shape)))


@dataclass
class TensorsFile:
    """What the file describes, as JSON, and its tensors."""

    described: Any
    tensors: dict[str, Stored] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> TensorsFile:
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        described = json.loads(header.pop("__metadata__")["rnnlab"])
        tensors = {}
        for name, own in header.items():
            first, last = (start + offset for offset in own["data_offsets"])
            tensors[name] = Stored(own["dtype"], own["shape"], content[first:last])
        return cls(described, tensors)

    def write(self, path: Path, text: str | None = None) -> None:
        """With the checksum that belongs to it; `text` is the description where JSON says less."""
        text = text or json.dumps(self.described)
        header: dict[str, Any] = {
            "__metadata__": {"rnnlab": text, "sha256": self.checksum(text)},
        }
        place = 0
        for name, own in self.tensors.items():
            size = len(own.content) if own.size is None else own.size
            offsets = [place, place + size]
            header[name] = {"dtype": own.dtype, "shape": own.shape, "data_offsets": offsets}
            place += size
        written = json.dumps(header).encode()
        data = b"".join(own.content for own in self.tensors.values())
        path.write_bytes(len(written).to_bytes(8, "little") + written + data)

    def checksum(self, text: str) -> str:
        """As rnnlab computes it."""
        digest = hashlib.sha256(text.encode(errors="surrogatepass"))
        for name in sorted(self.tensors):
            own = self.tensors[name]
            shape = tuple(own.shape)
            digest.update(f"{name} torch.{NAMES.get(own.dtype, own.dtype)} {shape}".encode())
            digest.update(own.content)
        return digest.hexdigest()
