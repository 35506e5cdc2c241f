"""The typed schema of an experiment: every knob, its type, its meaning, its allowed values.

conf/*.yaml sets the values; this file only says what a value may be. Nothing here imports torch,
Hydra or OmegaConf, so a mistake is answered before anything slow begins, and the training
library can use these frozen dataclasses as plain values.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rnnlab._common.errors import require


def _at_least(config: Any, minimum: int, *names: str, group: str = "") -> None:
    for name in names:
        value = getattr(config, name)
        full = group + name
        require(value >= minimum, f"{full}={value}", f"{full} is a whole number >= {minimum}")


def _between(config: Any, low: float, high: float, *names: str, group: str = "") -> None:
    """Each named field lies in [low, high)."""
    bounds = f">= {low:g}" if high == math.inf else f"in [{low:g}, {high:g})"
    for name in names:
        value = getattr(config, name)
        full = group + name
        require(low <= value < high, f"{full}={value:g}", f"{full} is a finite number {bounds}")


# --- dataset ---------------------------------------------------------------------------------


class Clean(StrEnum):
    """letters: the textbook's rule (lower-case a-z, every other run one space). none: as it is."""

    letters = "letters"
    none = "none"


class Token(StrEnum):
    char = "char"
    word = "word"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Which text, how it is cut into tokens, and how much of it is used."""

    name: str
    clean: Clean
    token: Token
    min_freq: int  # rarer tokens become <unk>
    max_tokens: int | None  # the corpus is cut to its first max_tokens tokens; null: all
    val_fraction: float  # the contiguous tail of the corpus that is held out
    prefixes: tuple[str, ...]  # what generated samples begin with; empty: the text's own beginning

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        texts = all(isinstance(prefix, str) for prefix in self.prefixes)
        require(texts, f"dataset.prefixes={list(self.prefixes)}", "it is a list of texts")
        _at_least(self, 0, "min_freq", group="dataset.")
        if self.max_tokens is not None:
            _at_least(self, 2, "max_tokens", group="dataset.")
        _between(self, 0, 1, "val_fraction", group="dataset.")


@dataclass(frozen=True, kw_only=True)
class Sample(Dataset):
    """The story shipped with the package."""


@dataclass(frozen=True, kw_only=True)
class Text(Dataset):
    """A UTF-8 file, or a folder of .txt files in the order of their names."""

    path: str


@dataclass(frozen=True, kw_only=True)
class Download(Dataset):
    """A file looked for in root, $RNNLAB_DATA and the user's cache, else downloaded."""

    file: str
    sha256: str
    urls: tuple[str, ...]  # tried in this order
    root: str | None  # the folder that is looked in first

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "urls", tuple(self.urls))
        plain = "/" not in self.file and "\\" not in self.file and self.file not in ("", ".", "..")
        require(plain, f"dataset.file={self.file}", "it is the name of a file, without folders")


# --- sampler, model, optimizer, clip ---------------------------------------------------------


class SamplerName(StrEnum):
    random = "random"
    sequential = "sequential"


@dataclass(frozen=True, kw_only=True)
class Sampler:
    name: SamplerName


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A group's choice; its name says in result.json and in checkpoints which one it is."""

    name: str

    def __post_init__(self) -> None:
        own = type(self).name
        require(self.name == own, f"the name {self.name}", f"this choice is {own}; see --help")


@dataclass(frozen=True, kw_only=True)
class ModelChoice(Choice):
    dropout: float  # probability of zeroing an activation between two layers
    init_std: float  # weights are drawn from N(0, init_std^2); biases start at zero

    def __post_init__(self) -> None:
        super().__post_init__()
        _between(self, 0, 1, "dropout", group="model.")
        _between(self, 0, math.inf, "init_std", group="model.")


class Activation(StrEnum):
    tanh = "tanh"
    relu = "relu"


@dataclass(frozen=True, kw_only=True)
class RNN(ModelChoice):
    name: str = "rnn"
    activation: Activation


@dataclass(frozen=True, kw_only=True)
class LSTM(ModelChoice):
    name: str = "lstm"


class Reset(StrEnum):
    """Where the GRU's reset gate multiplies: before or after the candidate's matrix product."""

    before = "before"
    after = "after"


@dataclass(frozen=True, kw_only=True)
class GRU(ModelChoice):
    name: str = "gru"
    reset: Reset


@dataclass(frozen=True, kw_only=True)
class SGD(Choice):
    name: str = "sgd"


@dataclass(frozen=True, kw_only=True)
class Momentum(Choice):
    name: str = "momentum"
    momentum: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _between(self, 0, 1, "momentum", group="optimizer.")


@dataclass(frozen=True, kw_only=True)
class Adam(Choice):
    name: str = "adam"
    beta1: float
    beta2: float
    eps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _between(self, 0, 1, "beta1", "beta2", group="optimizer.")
        _between(self, 0, math.inf, "eps", group="optimizer.")


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    name: str = "adamw"
    weight_decay: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _between(self, 0, math.inf, "weight_decay", group="optimizer.")


@dataclass(frozen=True, kw_only=True)
class RMSprop(Choice):
    name: str = "rmsprop"
    alpha: float
    eps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _between(self, 0, 1, "alpha", group="optimizer.")
        _between(self, 0, math.inf, "eps", group="optimizer.")


@dataclass(frozen=True, kw_only=True)
class TorchOptim(Choice):
    """Any optimizer of torch.optim by its class name, with its own keyword arguments."""

    name: str = "torch"
    algorithm: str
    options: dict[str, Any]


class ClipName(StrEnum):
    norm = "norm"
    value = "value"
    none = "none"


@dataclass(frozen=True, kw_only=True)
class Clip:
    name: ClipName


# --- the experiment --------------------------------------------------------------------------


class EngineName(StrEnum):
    auto = "auto"
    eager = "eager"
    fused = "fused"
    torch_nn = "torch_nn"


class Precision(StrEnum):
    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"
    fp64 = "fp64"


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    every: int  # epochs between two lines of metrics.jsonl
    val_every: int  # epochs between two passes over the held-out text
    sample_every: int  # epochs between two generated samples; 0: at the end only
    sample_length: int  # tokens generated after the prefix

    def __post_init__(self) -> None:
        _at_least(self, 1, "every", "val_every", "sample_length", group="log.")
        _at_least(self, 0, "sample_every", group="log.")


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings:
    every: int  # epochs between two checkpoints; 0: not by epochs
    seconds: float  # between two checkpoints, in the middle of an epoch too; 0: not by time

    def __post_init__(self) -> None:
        _at_least(self, 0, "every", group="checkpoint.")
        _between(self, 0, math.inf, "seconds", group="checkpoint.")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment: the textbook's scalars by their names, and a choice for each group."""

    dataset: Dataset
    sampler: Sampler
    model: ModelChoice
    optimizer: Choice
    clip: Clip

    lr: float
    theta: float  # clipping radius (clip=norm) or bound (clip=value)
    num_hiddens: int
    num_layers: int
    batch_size: int
    num_steps: int  # time steps of a minibatch: the reach of truncated backpropagation
    num_epochs: int
    seed: int

    device: str  # auto | cpu | cuda | cuda:N
    engine: EngineName
    precision: Precision

    max_minibatches: int | None  # stop each epoch after this many; null: all
    repeat_first_epoch: bool  # draw the first epoch's minibatches in every epoch

    log: LogSettings
    checkpoint: CheckpointSettings

    def __post_init__(self) -> None:
        _between(self, 0, math.inf, "lr")
        require(
            0 < self.theta < math.inf,
            f"theta={self.theta}",
            "theta is a finite number > 0; clip=none trains without clipping",
        )
        _at_least(self, 1, "num_hiddens", "num_layers", "batch_size", "num_steps", "num_epochs")
        _at_least(self, 0, "seed")
        if self.max_minibatches is not None:
            _at_least(self, 1, "max_minibatches")
        is_device = self.device in ("auto", "cpu", "cuda") or (
            self.device.startswith("cuda:") and self.device[5:].isdecimal()
        )
        require(is_device, f"device={self.device}", "device is auto, cpu, cuda or cuda:N")
        require(
            not self.model.dropout or self.num_layers > 1,
            f"model.dropout={self.model.dropout:g} with num_layers=1",
            "dropout acts between layers; add num_layers=2",
        )
        before = isinstance(self.model, GRU) and self.model.reset == Reset.before
        require(
            not (self.engine == EngineName.torch_nn and before),
            "engine=torch_nn with model.reset=before",
            "torch.nn.GRU has only the other form; add model.reset=after, or use engine=eager",
        )

    def as_dict(self) -> dict[str, Any]:
        """The resolved values as JSON's own types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def nodes() -> dict[str, type]:
    """The typed nodes that conf/*.yaml names in its defaults lists, by their paths there."""
    return {
        "schema/config": Config,
        "schema/dataset/sample": Sample,
        "schema/dataset/text": Text,
        "schema/dataset/download": Download,
        "schema/model/rnn": RNN,
        "schema/model/lstm": LSTM,
        "schema/model/gru": GRU,
        "schema/optimizer/sgd": SGD,
        "schema/optimizer/momentum": Momentum,
        "schema/optimizer/adam": Adam,
        "schema/optimizer/adamw": AdamW,
        "schema/optimizer/rmsprop": RMSprop,
        "schema/optimizer/torch": TorchOptim,
    }
