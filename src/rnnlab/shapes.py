"""Shape annotations: jaxtyping's in development, where the tests enforce them; nothing at run time.

Annotations are never evaluated outside the tests, so the library needs no jaxtyping.
"""

try:
    from jaxtyping import Bool, Float, Int
except ModuleNotFoundError:
    Bool = Float = Int = None

__all__ = ["Bool", "Float", "Int"]
