"""torch, imported when it is first used.

    from rnnlab._common.late import torch

A module that defines choices is read before anything is trained, so that a mistake is answered at
once; torch takes seconds to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
else:

    class _Late:
        def __getattr__(self, name: str) -> Any:
            import torch

            return getattr(torch, name)

    torch = _Late()

__all__ = ["torch"]
