"""Ways to get loss and gradients for the same cell. They agree to rounding."""

from rnnlab.engines.autograd import AutogradEngine
from rnnlab.engines.eager import Eager
from rnnlab.engines.torch_nn import TorchNN

ENGINES: dict[str, type[AutogradEngine]] = {"eager": Eager, "torch_nn": TorchNN}


def resolve_engine(name: str) -> str:
    """auto is the fastest engine there is."""
    return "eager" if name == "auto" else name
