"""rnnlab reproduce experiments/STUDY: train it, check its claims, write its pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rnnlab._common.console import say
from rnnlab._common.errors import require
from rnnlab._common.files import write_whole
from rnnlab.config.stored_words import not_taken
from rnnlab.experiments.claims import Verdict
from rnnlab.experiments.experiment import FILE, Experiment, study_folder, with_words
from rnnlab.experiments.page import page
from rnnlab.experiments.record import RESULTS, Record
from rnnlab.results.load import load
from rnnlab.results.study import Study
from rnnlab.results.train import study
from rnnlab.studies.report.figures import as_file

OTHER_SEEDS = "other_seeds.json"


def reproduce(
    folder: Path, words: Sequence[str] = (), seeds: str = "", miniature: bool = False
) -> list[Verdict]:
    """What became of each claim.

    The pages are the experiment's own where it is trained as its file says; results with other
    `seeds` stand beside them. With other `words`, or a `miniature`, they are in the study's folder.
    Raises ConfigError, and KeyboardInterrupt after one that has been saved.
    """
    experiment = Experiment.read(folder)
    others = [*(experiment.miniature if miniature else ()), *words]
    is_beside = bool(seeds) and not others
    require(
        not is_beside or (folder / RESULTS).exists(),
        f"--seeds {seeds}",
        f"{folder} has no results to stand beside yet; type rnnlab reproduce {folder}",
    )
    seeded = [f"seed={seeds}"] if seeds else []
    commands = with_words(experiment.commands, [*others, *seeded])
    _require_typed(commands, words, folder)
    place = study_folder(experiment.name, commands)
    trained = _trained(commands, place)
    record = Record.of(experiment.name, commands, trained, "curves" in experiment.figures)
    verdicts = [claim.judged(record.rows) for claim in experiment.claims]
    home = place if others else folder
    record.write(home / (OTHER_SEEDS if is_beside else RESULTS), verdicts)
    say(write_pages(experiment, home))
    return verdicts


def write_pages(experiment: Experiment, home: Path) -> Path:
    """README.md and the figures, from the results that are there."""
    record, beside = Record.read(home / RESULTS), home / OTHER_SEEDS
    others = Record.read(beside) if beside.exists() else None
    write_whole(home, "README.md", page(experiment, record, others))
    for name, own in experiment.figures.items():
        write_whole(home, f"{name}.svg", as_file(own.drawn(record.rows), "svg"))
    return home / "README.md"


def _require_typed(commands: list[list[str]], words: Sequence[str], folder: Path) -> None:
    """A folder may come from somebody else: what it asks for beside knobs, a person types."""
    refused = [own for own in not_taken([w for c in commands for w in c]) if own not in words]
    require(
        not refused,
        f"{' '.join(dict.fromkeys(refused))}, which {folder / FILE} asks for,",
        "a folder's word is not enough for it; if it is what you want, type it behind",
    )


def _trained(commands: list[list[str]], place: Path) -> Study:
    """Whatever of it is trained already is not trained again."""
    say(f"{place}: what is trained there already is kept")
    for words in commands:
        study([*words, f"sweep={place}"], None, {})
    return load(place)
