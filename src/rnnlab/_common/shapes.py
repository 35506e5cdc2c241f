"""Shape annotations: jaxtyping's in development, where the tests enforce them.

Annotations are never evaluated outside the tests, so the library itself needs no jaxtyping, and
a module that uses torch late (late.py) can name its Tensor.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer
    from torch import Tensor
elif "torch" in sys.modules:
    from torch import Tensor

    try:
        from jaxtyping import Bool, Float, Integer
    except ModuleNotFoundError:
        Bool = Float = Integer = None
else:
    Bool = Float = Integer = Tensor = None

__all__ = ["Bool", "Float", "Integer", "Tensor"]
