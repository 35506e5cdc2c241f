"""rnnlab reproduce: a run trained again, or an experiment whose claims are checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from rnnlab._common.console import say
from rnnlab._common.errors import require
from rnnlab._common.files import entered
from rnnlab._common.program import resuming


def reproduce(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run's folder, or an experiment's.")],
    seeds: Annotated[
        str, typer.Option(help="Of an experiment: train it with these seeds, as 10,11,12.")
    ] = "",
    miniature: Annotated[
        bool, typer.Option("--miniature", help="Of an experiment: so small that it takes seconds.")
    ] = False,
) -> None:
    """Train a run again, and say whether it comes out the same: rnnlab reproduce RUN device=cpu.

    Of an experiment, rnnlab reproduce experiments/chapter: train its study, check its claims, and
    write its page.
    """
    from rnnlab.config.own_cells import without_own_cells
    from rnnlab.experiments.experiment import FILE
    from rnnlab.runs.folder import RESULT

    folder = entered(str(run))
    if (folder / FILE).exists() and not (folder / RESULT).exists():
        _experiment(folder, context.args, seeds, miniature)
        return
    for option, is_given in (("--seeds", seeds), ("--miniature", miniature)):
        rule = f"only an experiment, which has {FILE}, takes it"
        require(not is_given, f"{option} of {folder}", rule)
    _run(folder, without_own_cells(context.args))


def _experiment(folder: Path, words: list[str], seeds: str, miniature: bool) -> None:
    from rnnlab.experiments.reproduce import reproduce

    verdicts = reproduce(folder, words, seeds, miniature)
    if miniature:
        say("found in miniature, where no claim is judged:")
        for verdict in verdicts:
            say(f"{verdict.claim.name}: {verdict.found}")
        return
    for verdict in verdicts:
        say(str(verdict))
    if not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)


def _run(run: Path, words: list[str]) -> None:
    from rnnlab.runs.result import Result, Status

    before = Result.read(run)
    require(
        before.status.is_final,
        f"reproducing {run}, which is {before.status}",
        f"only a run that has ended can be compared; type {resuming(run)}",
    )
    from rnnlab.config.compose import values_of
    from rnnlab.config.identity import LENGTH
    from rnnlab.config.stored import changed
    from rnnlab.runs import stack
    from rnnlab.runs.checkpoint import load_checkpoint
    from rnnlab.runs.differences import differences, surroundings_of
    from rnnlab.runs.folder import BEST, LAST
    from rnnlab.runs.preflight import Corpora, check
    from rnnlab.runs.resume import stored_config
    from rnnlab.runs.start import Start

    changes = values_of(words)
    for word, name in zip(words, changes, strict=True):
        is_other = name in (*LENGTH, "instruments") or name.startswith("log.")
        require(not is_other, word, f"reproducing {run} is to log the same epochs, and it says so")
    config, corpora = changed(stored_config(run, before), changes), Corpora()
    other = before.differences_to(config, check(config, corpora).sha256)
    require(not other, f"reproducing {run}", f"it would be another experiment ({'; '.join(other)})")
    Start.of(config)
    for name in filter(lambda name: (run / name).exists(), (LAST, BEST)):
        load_checkpoint(run, name)  # to be compared with, when all is trained
    with tempfile.TemporaryDirectory(prefix="rnnlab-") as folder:
        again = Path(folder) / "again"
        after = stack.run(config, again, corpora)
        if after.status == Status.interrupted:
            raise KeyboardInterrupt
        found = list(differences(run, again))
    if found:
        say(f"perplexity {before.perplexity}, and now {after.perplexity}")
        for line in surroundings_of(before, after):
            say(f"surroundings: {line}")
    tell(found, "perplexity, every logged value and every weight are the same, bit for bit")


def tell(differences: list[str], same: str) -> None:
    """The verdict; exit status 1 if anything differs."""
    if not differences:
        say(same)
        return
    for line in differences[:10]:
        say(f"differs: {line}")
    raise typer.Exit(1)
