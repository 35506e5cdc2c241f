"""Ways to get loss and gradients for the same cell. They agree to rounding.

An Engine is what there is to ask before training: which cells it knows, what it needs, how fast it
is; its Computation does the work. Imports no torch: a study is planned without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from rnnlab._common.choices import register, registered
from rnnlab._common.errors import ConfigError
from rnnlab._common.shapes import Bool, Float, Integer, Tensor
from rnnlab.nn.engines.compiled.blocks import blocks
from rnnlab.nn.engines.stacked import LAYERS
from rnnlab.nn.spec import Cell, Spec

if TYPE_CHECKING:
    import torch

    from rnnlab.nn.model import ForwardPass, Parameters, State


@runtime_checkable
class Computation(Protocol):
    """What training needs of an engine at work."""

    def session(self, parameters: Parameters, shape: Sequence[int]) -> AbstractContextManager[None]:
        """What has to hold while it trains on minibatches of this shape (K, B, T)."""
        ...

    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
        wanted: Bool[Tensor, " K"] | None = None,
        begins: Bool[Tensor, " K"] | None = None,
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on.

        Of lanes that are not wanted anything may come back. In lanes that begin here the state is
        zero, in the place of the first one. What comes back may live in the engine's buffers, and
        be valid until the next call only.
        """
        ...


class Engine(ABC):
    """A way to compute; one object for each, registered under its name."""

    name: ClassVar[str]
    meaning: ClassVar[str]
    stacks: ClassVar[bool] = True  # lanes are one batched computation, not one after another
    is_recordable: ClassVar[bool] = False  # a step works in place, and can be a CUDA graph
    is_compiled: ClassVar[bool] = False  # by numba, for a CPU
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    products: ClassVar[tuple[str, ...]] = ("float32", "float64", "bfloat16")  # types of factors

    def refuses(self, cell: Cell) -> str | None:  # noqa: ARG002
        """Why it cannot train this cell, and what to type instead; None if it can."""
        return None

    @abstractmethod
    def rank(self, cell: Cell, device_type: str) -> int:
        """How fast it is for one lane beside the other engines, as measured: auto takes the top."""

    @abstractmethod
    def numbers(self, spec: Spec, B: int, T: int) -> int:
        """How many a lane of several keeps while it trains on B x T tokens.

        Besides parameters, gradients and optimizer, and what is small beside these.
        """

    def shared_numbers(self, spec: Spec, B: int, T: int) -> int:  # noqa: ARG002
        """How many are kept once, however many lanes there are."""
        return 0

    @abstractmethod
    def computation(self, dtype: torch.dtype | None = None) -> Computation:
        """An engine at work; `dtype` is that of all products, None that of the parameters."""

    @abstractmethod
    def forward_pass(self, parameters: Parameters, T: int, B: int) -> ForwardPass:
        """The model on texts of T tokens, without dropout and gradients."""


class Fused(Engine):
    name, meaning = "fused", "by hand, no autograd, no allocation"
    is_recordable = True

    def refuses(self, cell: Cell) -> str | None:
        if cell.around:
            return f"{cell.around} is differentiated by autograd alone; use engine=eager"
        known = cell.form in LAYERS
        return None if known else "its backward pass is not derived; use engine=eager"

    def rank(self, cell: Cell, device_type: str) -> int:  # noqa: ARG002
        return 2

    def numbers(self, spec: Spec, B: int, T: int) -> int:
        """Series in two orders, logits and their gradient; copies of W_x and of each W_h."""
        H, L, V, G = spec.num_hiddens, spec.num_layers, spec.vocab_size, spec.cell.num_gates
        of_token = (2 * L * LAYERS[spec.cell.form].series + L - 1) * H + 2 * V
        return B * T * of_token + (V + L * H) * G * H

    def computation(self, dtype: torch.dtype | None = None) -> Computation:
        from rnnlab.nn.engines.stacked.network import Stacked

        return Stacked(dtype)

    def forward_pass(self, parameters: Parameters, T: int, B: int) -> ForwardPass:
        from rnnlab.nn.engines.stacked.network import Network

        return Network(parameters, None, T, B).logits_and_state


@cache
def _has_numba() -> bool:
    """Looked for once: every job of a study asks."""
    return find_spec("numba") is not None


class Compiled(Fused):
    name, meaning = "compiled", "by hand, compiled for this processor"
    is_recordable, is_compiled = False, True
    devices = ("cpu",)
    products = ("float32", "float64")

    def refuses(self, cell: Cell) -> str | None:
        if not _has_numba():
            return "numba is not installed; pip install numba, or use engine=fused"
        return super().refuses(cell)

    def rank(self, cell: Cell, device_type: str) -> int:  # noqa: ARG002
        return 4

    def numbers(self, spec: Spec, B: int, T: int) -> int:
        """A gradient for every block of rows but the first."""
        return (len(blocks(spec, B, T)) - 1) * spec.num_parameters

    def shared_numbers(self, spec: Spec, B: int, T: int) -> int:
        """All series of one lane, whose weights are packed twice; a matrix to sum in."""
        H, L, V, G = spec.num_hiddens, spec.num_layers, spec.vocab_size, spec.cell.num_gates
        of_token = (L * LAYERS[spec.cell.form].series + 1 + (L - 1)) * H + V
        weights = ((2 * L - 1) * G * H + V) * H
        return B * T * of_token + 2 * weights + H * max(H, V)

    def computation(self, dtype: torch.dtype | None = None) -> Computation:  # noqa: ARG002
        try:
            from rnnlab.nn.engines.compiled.network import Compiled
        except ImportError as error:
            raise ConfigError(
                f"engine=compiled cannot use the numba that is installed ({error}); "
                "install another with pip install --upgrade numba, or type engine=fused"
            ) from None
        return Compiled()


class Eager(Engine):
    name, meaning = "eager", "the equations, differentiated by autograd"

    def rank(self, cell: Cell, device_type: str) -> int:  # noqa: ARG002
        return 1

    def numbers(self, spec: Spec, B: int, T: int) -> int:
        """Activations of each gate; one-hot input, logits, their gradient; gradients in parts."""
        H, L, V, G = spec.num_hiddens, spec.num_layers, spec.vocab_size, spec.cell.num_gates
        of_token = 3 * L * G * H + 5 * V
        return B * T * of_token + spec.num_parameters

    def computation(self, dtype: torch.dtype | None = None) -> Computation:
        from rnnlab.nn.engines.eager import Loop

        return Loop(dtype)

    def forward_pass(self, parameters: Parameters, T: int, B: int) -> ForwardPass:  # noqa: ARG002
        from rnnlab.nn.engines.eager import Loop

        return Loop().forward_pass(parameters)


class TorchNN(Eager):
    name, meaning = "torch_nn", "torch.nn.RNN, LSTM and GRU"
    stacks = False
    onednns = "lstm"  # the form that oneDNN computes on a CPU

    def refuses(self, cell: Cell) -> str | None:
        if cell.form == "gru_before":
            return (
                "torch.nn.GRU has only the other form; add model.reset=after, or use engine=eager"
            )
        known = cell.form in ("rnn_tanh", "rnn_relu", "lstm", "gru_after")
        return None if known else "torch.nn has no such cell; use engine=eager"

    def rank(self, cell: Cell, device_type: str) -> int:
        """Its LSTM is oneDNN's on a CPU, which the fused engine does not reach."""
        return 3 if cell.form == self.onednns and device_type == "cpu" else 0

    def numbers(self, spec: Spec, B: int, T: int) -> int:
        """oneDNN's LSTM keeps its weights in an order of its own, and more of every time step."""
        more = 8 * B * T * spec.num_layers * spec.num_hiddens + spec.num_parameters
        return super().numbers(spec, B, T) + (more if spec.cell.form == self.onednns else 0)

    def computation(self, dtype: torch.dtype | None = None) -> Computation:
        from rnnlab.nn.engines.torch_nn import Modules

        return Modules(dtype)


# evaluation takes the first that knows the cell
for engine in (Fused(), Compiled(), Eager(), TorchNN()):
    register("engine", engine.name, engine)

ENGINES: Mapping[str, Engine] = registered("engine")


def resolve(name: str, cell: Cell, device_type: str, products: str) -> Engine:
    """The engine of that name; of auto, the fastest that knows the cell, device and products."""
    if name != "auto":
        return ENGINES[name]
    able = [engine for engine in fitting(device_type, products) if engine.refuses(cell) is None]
    return max(able, key=lambda engine: engine.rank(cell, device_type))


def reading(cell: Cell) -> Engine:
    """What a text is read with while nothing is trained: the first that knows the cell."""
    return next(engine for engine in ENGINES.values() if engine.refuses(cell) is None)


def fitting(device_type: str, products: str) -> list[Engine]:
    """Those for such a device, and such a type of products."""
    return [
        engine
        for engine in ENGINES.values()
        if device_type in engine.devices and products in engine.products
    ]
