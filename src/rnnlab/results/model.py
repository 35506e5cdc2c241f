"""A trained model: what a text costs it, what it writes, its states and its parameters.

Shapes: N tokens of a text, L layers, I inputs of a layer, H hidden units, V vocabulary.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from rnnlab._common.errors import require
from rnnlab.data.corpus import Vocabulary
from rnnlab.nn import generation
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.states import states
from rnnlab.results.sampling import Sampling
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint
from rnnlab.runs.folder import BEST, LAST
from rnnlab.training.evaluation import nats


@dataclass(frozen=True, eq=False, repr=False)
class TrainedModel:
    """The model of a checkpoint, on the CPU. Texts are cleaned as the run's own text was."""

    checkpoint: Checkpoint

    @classmethod
    def read(cls, folder: Path, best: bool = False) -> TrainedModel:
        """Of a run's folder; raises ConfigError where there is none, or it is damaged."""
        return cls(load_checkpoint(folder, BEST if best else LAST))

    def __repr__(self) -> str:
        model, epoch = self.checkpoint.model, self.checkpoint.epoch
        sizes = f"{model.cell.name} {model.num_hiddens}x{model.num_layers}"
        return f"<TrainedModel {sizes}, {model.vocab_size} in the vocabulary, after epoch {epoch}>"

    @property
    def vocabulary(self) -> Vocabulary:
        """Its `tokens` are V texts, by their indices."""
        return self.checkpoint.vocabulary

    @cached_property
    def parameters(self) -> dict[str, NDArray[np.floating]]:
        """By the equations' names, those of a layer after its number; copies.

        0.W_xh (I, H), 0.W_hh (H, H), 0.b_h (1, H) and so on, W_hq (H, V), b_q (1, V).
        """
        named = self.checkpoint.parameters.items()
        return {name: _array(value[0]).copy() for name, value in named}

    def tokens(self, text: str) -> list[str]:
        """N: what the model reads of a text, as `states` has them along its first axis."""
        return [self.vocabulary.tokens[i] for i in self._indices(text)]

    def score(self, text: str) -> float:
        """Nats a token: the mean over all but the first, each given all before it.

        exp of it is the text's perplexity, the same to the last bit as that of a run's held-out
        text. Raises ConfigError for fewer than two tokens, and for one that the vocabulary lacks.
        """
        indices = self._indices(text)
        too_short = "the first token has none before it; a score needs at least two"
        require(len(indices) > 1, f"the text {text!r}", too_short)
        with torch_threads(1):  # as a run evaluates: their number could change last bits
            cost = nats(self.checkpoint.parameters, torch.tensor(indices))
        return cost / (len(indices) - 1)

    @overload
    def generate(
        self,
        prefix: str,
        length: int = ...,
        temperature: float = ...,
        *,
        top_k: int | None = ...,
        top_p: float | None = ...,
        seed: int = ...,
        samples: None = ...,
    ) -> str: ...
    @overload
    def generate(
        self,
        prefix: str,
        length: int = ...,
        temperature: float = ...,
        *,
        top_k: int | None = ...,
        top_p: float | None = ...,
        seed: int = ...,
        samples: int,
    ) -> list[str]: ...
    def generate(
        self,
        prefix: str,
        length: int = 200,
        temperature: float = 0.0,
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        samples: int | None = None,
    ) -> str | list[str]:
        """The prefix and `length` tokens after it; with `samples` a list of so many texts.

        temperature 0 takes the likeliest token, 1 draws from the model, among the `top_k` likeliest
        and the nucleus `top_p`. The same seed gives the same texts, as `rnnlab generate` does.
        Raises ConfigError for what makes no sense, and for a prefix the vocabulary lacks.
        """
        wish = Sampling(
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            samples=1 if samples is None else samples,
        )
        texts = self.drawn(prefix, wish)
        return texts[0] if samples is None else texts

    def drawn(self, prefix: str, wish: Sampling) -> list[str]:
        """The texts that are wished for."""
        wish.check()
        given: dict[str, Any] = asdict(wish)
        prefixes = [self._indices(prefix, "the prefix")] * given.pop("samples")
        texts = generation.generate(self.checkpoint.parameters, prefixes, **given)
        return [self.vocabulary.decode(text) for text in texts]

    def states(self, text: str, name: str = "H") -> NDArray[np.floating]:
        """(N, L, H): a state of every layer after each token, begun at zero.

        `name` is the equations': H, or C for an LSTM's memory. Raises ConfigError for a state that
        its cell does not have, and for a token that the vocabulary lacks.
        """
        cell = self.checkpoint.model.cell
        has = f"{cell.name} has {' and '.join(cell.states)}"
        require(name in [*cell.states], f"the state {name!r}", has)
        indices = torch.tensor(self._indices(text))
        return _array(states(self.checkpoint.parameters, indices)[name])

    def _indices(self, text: str, called: str = "the text") -> list[int]:
        return self.vocabulary.encode(text, self.checkpoint.clean, called)


def _array(tensor: torch.Tensor) -> NDArray[np.floating]:
    """numpy has no bfloat16."""
    is_half = tensor.dtype in (torch.bfloat16, torch.float16)
    return (tensor.float() if is_half else tensor).detach().cpu().numpy()
