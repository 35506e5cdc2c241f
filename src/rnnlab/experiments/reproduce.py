"""rnnlab reproduce experiments/STUDY: train it, check its claims, write its pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from rnnlab._common.console import say
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import write_whole
from rnnlab.config.stored_words import not_taken
from rnnlab.config.words import key_of
from rnnlab.config.yaml_text import place as placed
from rnnlab.experiments.claims import Verdict
from rnnlab.experiments.commands import study_folder, with_words
from rnnlab.experiments.experiment import FILE, Experiment
from rnnlab.experiments.page import page
from rnnlab.experiments.record import RESULTS, Record
from rnnlab.results.load import load
from rnnlab.results.study import Study
from rnnlab.results.train import study
from rnnlab.studies.report.figures import as_file

OTHER_SEEDS = "other_seeds.json"
SEEDS = re.compile(r"\d+(,\d+)*|range\(\d+(,\d+){0,2}\)")


def reproduce(
    folder: Path, words: Sequence[str] = (), seeds: str = "", miniature: bool = False
) -> list[Verdict]:
    """What became of each claim.

    The pages are the experiment's own where it is trained as its file says; results with other
    `seeds` stand beside them. With other `words`, or a `miniature`, they are in the study's folder.
    Raises ConfigError, and KeyboardInterrupt after one that has been saved.
    """
    experiment = Experiment.read(folder)
    _require_options(experiment, seeds, miniature)
    others = [*(experiment.miniature if miniature else ()), *words]
    seeded = [f"seed={seeds}"] if seeds else []
    commands = with_words(experiment.commands, [*others, *seeded])
    _require_typed(commands, words, folder)
    place = study_folder(experiment.name, commands)
    home, is_beside = (place, False) if others else (folder, bool(seeds))
    if is_beside:
        rule = f"{folder} has no results to stand beside yet; type rnnlab reproduce {folder}"
        require((folder / RESULTS).exists(), f"--seeds {seeds}", rule)
    _read(home / (RESULTS if is_beside else OTHER_SEEDS))  # what is damaged is told before training
    again = _command(folder, words, seeds, miniature)
    found = _trained(experiment, commands, place, words, again)
    record = Record.of(experiment.name, commands, found, "curves" in experiment.figures)
    verdicts = [claim.judged(record.rows) for claim in experiment.claims]
    record.write(home / (OTHER_SEEDS if is_beside else RESULTS), verdicts)
    say(write_pages(experiment, home))
    return verdicts


def write_pages(experiment: Experiment, home: Path) -> Path:
    """README.md and the figures, from the results that are there."""
    record = Record.read(home / RESULTS)
    write_whole(home, "README.md", page(experiment, record, _read(home / OTHER_SEEDS)))
    for name, own in experiment.figures.items():
        write_whole(home, f"{name}.svg", as_file(own.drawn(record.rows), "svg"))
    return home / "README.md"


def _require_options(experiment: Experiment, seeds: str, miniature: bool) -> None:
    file = experiment.folder / FILE
    rule = f"{file} does not say which words make it small; add miniature: [NAME=VALUE]"
    require(bool(experiment.miniature) or not miniature, "--miniature", rule)
    is_known = not seeds or SEEDS.fullmatch(seeds) is not None
    require(is_known, f"--seeds {seeds}", "type whole numbers, as 10,11,12")


def _read(path: Path) -> Record | None:
    return Record.read(path) if path.exists() else None


def _command(folder: Path, words: Sequence[str], seeds: str, miniature: bool) -> str:
    """As it was typed."""
    options = [*(["--seeds", seeds] if seeds else []), *(["--miniature"] if miniature else [])]
    return shlex.join(["rnnlab", "reproduce", str(folder), *words, *options])


def _require_typed(commands: list[list[str]], words: Sequence[str], folder: Path) -> None:
    """A folder may come from somebody else: what it asks for beside knobs, a person types."""
    refused = [own for own in not_taken([w for c in commands for w in c]) if own not in words]
    require(
        not refused,
        f"{' '.join(dict.fromkeys(refused))}, which {folder / FILE} asks for,",
        "a folder's word is not enough for it; if it is what you want, type it behind",
    )


def _trained(
    experiment: Experiment,
    commands: list[list[str]],
    place: Path,
    typed: Sequence[str],
    again: str,
) -> Study:
    """Whatever of it is trained already is not trained again."""
    say(f"{place}: what is trained there already is kept")
    for words in commands:
        try:
            study([*words, f"sweep={place}"], None, {}, again)
        except ConfigError as error:
            raise ConfigError(_placed(str(error), words, experiment, typed)) from None
    return load(place)


def _placed(
    sentence: str, words: Sequence[str], experiment: Experiment, typed: Sequence[str]
) -> str:
    """With the line of the word that it is of, where that is the file's and was not typed."""
    mistake = re.sub(r"^job .*?\): ", "", sentence)  # of a study's jobs, with what they differ in
    found: dict[int, str] = {}
    for word in words:
        if match := re.search(rf"(?<![\w.]){re.escape(key_of(word))}(?![\w.])", mistake):
            found.setdefault(match.start(), word)
    word = found[min(found)] if found else ""
    if word in typed or word not in experiment.lines:
        return sentence
    return f"{placed(experiment.folder / FILE, experiment.lines[word])}: {sentence}"
