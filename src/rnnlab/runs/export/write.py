"""The files of an export: RUN/model.html, or RUN/model.safetensors and a script beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import opened, write_whole
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint
from rnnlab.runs.demo import is_demo, trained
from rnnlab.runs.export.to_html import TYPES, to_html
from rnnlab.runs.export.to_torch import script, snippet, to_safetensors
from rnnlab.runs.folder import BEST, LAST, NEXT

SUFFIXES = {"torch": ".safetensors", "html": ".html"}
OURS = b'"""A recurrent language model for torch.nn, written by rnnlab export.'


def write_export(
    run: Path, to: str, output: Path | None, weights: str | None, is_best: bool
) -> Iterator[str]:
    """Write the files, and say what they are; raises ConfigError for what cannot be exported."""
    require(to in SUFFIXES, f"--to {to}", f"there are {', '.join(SUFFIXES)}")
    require(
        weights is None or (to == "html" and weights in TYPES),
        f"--weights {weights} with --to {to}",
        f"a page has {', '.join(TYPES)}, and torch what the run has",
    )
    file = _placed(run, to, output)
    checkpoint = load_checkpoint(trained(run), BEST if is_best else LAST)
    prompt, indices = _prompt(checkpoint)
    if to == "html":
        content = to_html(checkpoint, run.resolve().name, prompt, weights)
        write_whole(file.parent, file.name, content)
        yield f"{file} ({_size(len(content))}): open it in a browser"
        return
    content, beside = to_safetensors(checkpoint), f"load_{file.stem}.py"
    _require_ours(file.parent, beside)
    write_whole(file.parent, file.name, content)
    write_whole(file.parent, beside, script(checkpoint, file.name, beside, indices))
    yield f"{file} ({_size(len(content))}), and {beside} beside it, which loads it:"
    yield snippet(checkpoint, str(file))


def _placed(run: Path, to: str, output: Path | None) -> Path:
    """The file: by default in the run's folder; of the package's own model, here."""
    file = output or (Path() if is_demo(run) else run) / f"model{SUFFIXES[to]}"
    if output is None and is_demo(run):
        file = Path(f"{run}{SUFFIXES[to]}")
    own = [(trained(run) / name).resolve() for name in (LAST, NEXT, BEST)]
    require(file.resolve() not in own, f"--output {file}", "it is the run's own checkpoint")
    require(not file.is_dir(), f"--output {file}", "it is a folder; name a file in it")
    if output:
        require(file.parent.is_dir(), f"--output {file}", f"there is no folder {file.parent}")
    return file


def _require_ours(folder: Path, name: str) -> None:
    """Raise ConfigError where another program would be overwritten."""
    try:
        with opened(folder, name) as file:
            is_ours = file.read(len(OURS)) == OURS
    except FileNotFoundError:
        return
    require(is_ours, str(folder / name), "a file is there that no export wrote; use --output")


def _prompt(checkpoint: Checkpoint) -> tuple[str, list[int]]:
    """What a text begins with: the run's first prefix, else a token that is known."""
    dataset = checkpoint.config.get("dataset")
    wanted = dataset.get("prefixes") if isinstance(dataset, dict) else None
    texts = [text for text in wanted if isinstance(text, str)] if isinstance(wanted, list) else []
    for text in (*texts, *checkpoint.vocabulary.tokens[1:]):
        try:
            return text, checkpoint.vocabulary.encode(text, checkpoint.clean)
        except ConfigError:
            continue
    return "", [0]


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e6 else f"{num_bytes / 1e3:.0f} kB"
