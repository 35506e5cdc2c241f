"""What can be wrong with a job beyond its config's own values: text, prompts, device, optimizer.

Runs before an output folder exists. torch is imported only for the choices that need to ask it.
"""

from __future__ import annotations

from functools import cache

from rnnlab._common.console import complain
from rnnlab._common.errors import ConfigError, not_allowed, require
from rnnlab._common.torchrun import processes
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus, load
from rnnlab.data.source import Source
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.own_cell import OwnCell
from rnnlab.runs.needs import parameter_bytes
from rnnlab.runs.surroundings import device_type, require_memory
from rnnlab.training.precision import PRECISIONS


class Corpora(dict[Source, Corpus]):
    """The texts read so far, which the jobs of a study share; others are read when asked for.

    A text is downloaded only if a person has typed the command that names it.
    """

    may_download = False

    def __missing__(self, source: Source) -> Corpus:
        if self.may_download:
            source.fetch()
            if left_out := source.left_out():
                complain(f"warning: {left_out}")
        self[source] = load(source)
        return self[source]


class Downloading(Corpora):
    may_download = True


def check(config: Config, corpora: Corpora) -> Corpus:
    """The job's corpus, once everything about the job has been found possible.

    Raises ConfigError with the one sentence that the user needs.
    """
    if isinstance(config.model, OwnCell):
        _check_cell(config.model)
    corpus = corpora[config.dataset]
    _check_length(config, corpus)
    _check_strings(config, corpus)
    corpus.prefixes(config.dataset.prefixes)
    _check_device(config)
    _check_engine(config)
    _check_memory(config, len(corpus.vocabulary))
    if mistake := config.optimizer.mistake():
        raise ConfigError(mistake)
    return corpus


@cache
def _check_cell(cell: OwnCell) -> None:
    """Once for all jobs; raises ConfigError for one that could not train in a stack."""
    from rnnlab.nn.own_cell_check import require_sound

    require_sound(cell)


def _check_length(config: Config, corpus: Corpus) -> None:
    """Every epoch has a minibatch, whatever its offset; held-out text has a target."""
    B, T, N = config.batch_size, config.num_steps, len(corpus.train)
    offset = config.sampler.largest_offset(T)
    needed = B * T + offset + 1
    require(
        needed <= N,
        f"batch_size={B} with num_steps={T}",
        f"one minibatch needs {needed} tokens ({B} x {T}, an offset of up to {offset}, and the "
        f"last target), and the corpus has {N}; take a smaller batch_size or num_steps, "
        "or a longer text",
    )
    require(
        processes() <= B,
        f"batch_size={B} over {processes()} processes",
        "each computes some of a minibatch's rows, one at least",
    )
    require(
        not config.dataset.val_fraction or len(corpus.held_out) >= 2,
        f"dataset.val_fraction={config.dataset.val_fraction}",
        f"the held-out text needs 2 tokens, and this leaves {len(corpus.held_out)}",
    )


def _check_strings(config: Config, corpus: Corpus) -> None:
    """There are some of every length that is to be evaluated, and not too many symbols."""
    for length in config.eval.lengths:
        given = f"length {length} of eval.lengths={list(config.eval.lengths)}"
        mistake = config.dataset.impossible(length, len(corpus.held_out))
        require(not mistake, given, mistake)


def _check_memory(config: Config, vocab_size: int) -> None:
    """The machine could hold parameters, logits and their gradients, which every engine needs."""
    B, T = config.batch_size, config.num_steps
    of_model = parameter_bytes(config, vocab_size)
    of_logits = B * T * vocab_size * PRECISIONS[config.precision].bytes
    try:
        require_memory(2 * (of_model + of_logits))
    except ValueError as error:
        sizes = f"num_hiddens={config.num_hiddens} with num_layers={config.num_layers}"
        smaller = "num_hiddens"
        if of_logits > of_model:
            sizes = f"batch_size={B} with num_steps={T} and {vocab_size:,} tokens to choose from"
            smaller = "batch_size or num_steps, or a larger dataset.min_freq"
        raise not_allowed(sizes, f"{error}; take a smaller {smaller}") from None


def _check_device(config: Config) -> None:
    """A GPU that is asked for is there."""
    wanted = PRECISIONS[config.precision].wants
    if not (wanted or config.device.startswith("cuda")):
        return
    require(
        wanted in (None, device_type(config.device)),
        f"precision={config.precision} on a CPU",
        "only a GPU has it; type precision=fp32",
    )


def _check_engine(config: Config) -> None:
    """It has the products and the device that are asked for; auto takes one that has."""
    engine = ENGINES.get(config.engine)
    if engine is None:
        return
    require(
        PRECISIONS[config.precision].products_type in engine.products,
        f"engine={engine.name} with precision={config.precision}",
        "it has no such products; type precision=fp32 or engine=fused",
    )
    if "cuda" not in engine.devices:
        require(
            device_type(config.device) == "cpu",
            f"engine={engine.name} on a GPU",
            "it is for CPUs; type device=cpu or engine=fused",
        )
