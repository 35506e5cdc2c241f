"""rnnlab inspect RUN: its last checkpoint, looked at with every instrument, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import make_folder, write_whole
from rnnlab.config.schema import Config
from rnnlab.config.stored import from_dict
from rnnlab.instruments import FULL, chosen
from rnnlab.instruments.panel import Probe, look_at, values_of
from rnnlab.nn.model import Parameters
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint
from rnnlab.runs.demo import is_demo, trained
from rnnlab.runs.figures import saved
from rnnlab.runs.folder import BEST, INSTRUMENTS, LAST, begun_in, read_looks
from rnnlab.runs.inspection.pictures import picture
from rnnlab.runs.inspection.seen import Seen
from rnnlab.runs.observer import probe
from rnnlab.runs.preflight import Corpora

FORMATS = ("png", "svg")


def inspect(run: Path, text: str | None = None, is_best: bool = False) -> list[Seen]:
    """What every instrument sees of a run; over training where it has looked then.

    The probe is the run's own, or `text`. Raises ConfigError for a run or a text that is none.
    """
    folder = trained(run)
    checkpoint = load_checkpoint(folder, BEST if is_best else LAST)
    config = from_dict(checkpoint.config).placed(begun_in(folder) or Path.cwd())
    own = _probe_of(run, checkpoint, config, text)
    instruments = chosen(FULL)
    values = values_of(
        look_at(_whole(checkpoint.parameters), [own], config.clip, torch.tensor([config.theta])),
        instruments,
    )[0]
    looks = read_looks(folder) if text is None else ()
    tokens = [checkpoint.vocabulary.tokens[i] for i in own.text.tolist()]
    model = checkpoint.model
    sizes = f"{model.cell.name} {model.num_hiddens}x{model.num_layers}"
    subject = f"{sizes} on {config.dataset.name}, after epoch {checkpoint.epoch}"
    found = Seen.of(instruments, values, looks, subject, tokens)
    for misfit in filter(None, (seen.misfit() for seen in found)):
        rule = f"{misfit} has another length than the model's now"
        raise ConfigError(f"{folder / INSTRUMENTS} is damaged: {rule}.")
    return found


def write_pictures(
    run: Path, text: str | None = None, output: Path | None = None, is_best: bool = False
) -> Iterator[Path]:
    """By default into inspect/ in the run's folder; of the package's own model, here."""
    folder = output or (Path("inspect-demo") if is_demo(run) else run / "inspect")
    is_new = not folder.exists() or folder.is_dir()
    require(is_new, f"--output {folder}", "it is a file; type the name of a folder")
    found = inspect(run, text, is_best)
    make_folder(folder)
    for seen in found:
        figure = picture(seen)
        for form in FORMATS:
            write_whole(folder, f"{seen.instrument.name}.{form}", saved(figure, form))
        yield folder / f"{seen.instrument.name}.png"


def _probe_of(run: Path, checkpoint: Checkpoint, config: Config, text: str | None) -> Probe:
    if text is not None:
        tokens = checkpoint.vocabulary.encode(text, checkpoint.clean, "the text")
        require(len(tokens) > 2, f"--text {text!r}", "it needs three tokens at least")
        return Probe.of(torch.tensor(tokens), min(config.num_steps, len(tokens) - 1))
    try:
        corpus = Corpora()[config.dataset]
    except ConfigError as error:
        raise ConfigError(f"{str(error).rstrip('.')}; or type --text TEXT.") from None
    is_same = corpus.vocabulary == checkpoint.vocabulary
    require(is_same, f"inspecting {run}", "its text is another one now; type --text TEXT")
    return probe(config, corpus)


def _whole(parameters: Parameters) -> Parameters:
    """In a precision in which every operation is there."""
    flat = parameters.flat
    return parameters if flat.dtype == torch.float64 else parameters.like(flat.float())
