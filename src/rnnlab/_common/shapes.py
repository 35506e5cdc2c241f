"""Shape annotations: jaxtyping's in development, where the tests enforce them.

Annotations are never evaluated outside the tests, so the library itself needs no jaxtyping.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Integer
else:
    try:
        from jaxtyping import Bool, Float, Integer
    except ModuleNotFoundError:
        Bool = Float = Integer = None

__all__ = ["Bool", "Float", "Integer"]
