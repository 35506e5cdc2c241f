"""eval.lengths: how well a trained model does at a length, beyond those that it was trained on."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rnnlab.data.corpus import Corpus, source_nats, strings_of
from rnnlab.data.source import Source
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.model import Parameters
from rnnlab.training.evaluation import score
from rnnlab.training.metrics import perplexity


def at_length(
    length: int,
    parameters: Parameters,
    dataset: Source,
    corpus: Corpus,
    between: Callable[[], None],
) -> dict[str, float | None]:
    """Perplexity, nats above the floor, and the share of answers that are right, on Strings.

    `between` is called again and again meanwhile: what it raises ends it.
    """
    own = strings_of(length, dataset, corpus, between)
    rows = torch.from_numpy(own.tokens).unfold(0, own.size + 1, own.size)
    answers = [i for i, token in enumerate(corpus.vocabulary.tokens) if token in own.answers]
    with torch_threads(1):  # their number could change last bits
        found = score(
            parameters,
            rows.to(parameters.flat.device),
            torch.tensor(answers, dtype=torch.int64, device=parameters.flat.device),
            between,
        )
    paid = source_nats(own.source, corpus.vocabulary, rows.numpy())
    return {
        "perplexity": perplexity(found.nats, 1),
        "excess_nats": None if paid is None else found.nats - paid,
        "accuracy": found.accuracy,
    }
