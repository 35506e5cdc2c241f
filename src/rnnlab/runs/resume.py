"""Going on with a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import remove_leftovers
from rnnlab.config.identity import config_id
from rnnlab.config.schema import Config
from rnnlab.config.stored import from_dict
from rnnlab.data.corpus import Corpus
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint
from rnnlab.runs.folder import cut_back
from rnnlab.runs.needs import engine_of
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import LAST, NEXT, Result
from rnnlab.runs.run import Run
from rnnlab.runs.stack import begin, held, train
from rnnlab.runs.surroundings import resolve_device


def resume(folder: Path, changes: dict[str, Any]) -> Result:
    """Go on with a run where its last checkpoint is, bit for bit as if it had not been stopped.

    `changes` are dotted names and values; only those that do not redefine the experiment may
    change. On another device or engine the run is the same to rounding. Raises ConfigError.
    """
    config = from_dict(Result.read(folder).config)
    return resume_stack([folder], {folder: changed(config, changes)})[0]


def resume_stack(
    lanes: Sequence[Path | None],
    configs: Mapping[Path, Config] | None = None,
    corpora: Corpora | None = None,
) -> list[Result]:
    """The same for runs that trained together, by their folders in the order of their lanes.

    The lane of a run that has ended, or None, stays idle: the bits of the others do not change.
    `configs` are those that differ from the runs' own.
    """
    corpora = {} if corpora is None else corpora
    folders = [folder for folder in lanes if folder]
    with ExitStack() as holding:
        for folder in folders:
            holding.enter_context(held(folder))
        runs = {folder: _reopen(folder, (configs or {}).get(folder), corpora) for folder in folders}
        live = [run for run in runs.values() if not run.ended]
        if live:
            by_folder: dict[Path | None, Run] = {run.folder: run for run in live}
            places = [by_folder.get(folder) for folder in lanes]
            for run in live:
                run.result.stack = [place.folder.name if place else "" for place in places]
            for run, checkpoint in zip(live, _common_checkpoints(live), strict=True):
                if checkpoint is None:  # killed before the first one
                    cut_back(run.folder, {})
                else:
                    run.continue_from(checkpoint)
                    _note_where(run, checkpoint)
            train(places, resolve_device(live[0].config.device))
    return [run.result for run in runs.values()]


def _reopen(folder: Path, config: Config | None, corpora: Corpora) -> Run:
    """The run as it was left; one that can go on is `running` again."""
    before = Result.read(folder)
    config = config or from_dict(before.config)
    corpus = check(config, corpora)
    _refuse_another_experiment(folder, before, config, corpus)
    require(
        before.epochs <= config.num_epochs,
        f"num_epochs={config.num_epochs}",
        f"{folder} has completed {before.epochs} epochs",
    )
    if before.is_done(config.num_epochs):
        return Run(config, corpus, folder, before)
    remove_leftovers(folder)
    result = begin(config, corpus, resolve_device(config.device))
    result.wall_seconds, result.resumed = before.wall_seconds, before.resumed
    result.swept = before.swept
    run = Run(config, corpus, folder, result)
    run.before = before
    return run


def _common_checkpoints(runs: list[Run]) -> list[Checkpoint | None]:
    """The newest that all of them have; nothing if one of them has none yet.

    Checkpoints of a stack are first all staged, then all put in their places; a kill in between
    leaves some lanes with a newer one than others, but never without a common one.
    """
    found: list[dict[tuple[int, int], tuple[str, Checkpoint]]] = []
    for run in runs:
        own = {}
        for name in (NEXT, LAST):
            if (run.folder / name).exists():
                checkpoint = load_checkpoint(run.folder / name)
                own[checkpoint.position] = (name, checkpoint)
        found.append(own)
    if not all(found):  # killed while the first ones were written
        return [None] * len(runs)
    common = set.intersection(*(set(own) for own in found))
    require(bool(common), f"continuing {runs[0].folder}", "its stack has no common checkpoint")
    chosen: list[Checkpoint | None] = []
    for run, own in zip(runs, found, strict=True):
        name, checkpoint = own[max(common)]
        require(
            checkpoint.config_id == run.result.config_id,
            f"continuing {run.folder}",
            f"its checkpoint is of another experiment, {checkpoint.config_id}",
        )
        if name == NEXT:
            run.commit()
        (run.folder / NEXT).unlink(missing_ok=True)
        chosen.append(checkpoint)
    return chosen


def changed(config: Config, changes: dict[str, Any]) -> Config:
    """The config with dotted names set to other values; raises ConfigError for unknown names."""
    values = config.as_dict()
    for name, value in changes.items():
        group, _, key = name.rpartition(".")
        place = values.get(group) if group else values
        if not isinstance(place, dict) or key not in place or isinstance(place[key], dict):
            raise ConfigError(f"{name}={value} is not allowed: a run has no such value to change.")
        place[key] = value
    return from_dict(values)


def _refuse_another_experiment(
    folder: Path, result: Result, config: Config, corpus: Corpus
) -> None:
    if config_id(config, corpus.sha256) == result.config_id:
        return
    differing = "; ".join(result.differences_to(config, corpus.sha256))
    raise ConfigError(
        f"{folder} cannot go on as another experiment ({differing}): only num_epochs, "
        "device, engine, log.* and checkpoint.* may change; start a new run for the rest."
    )


def _note_where(run: Run, begun: Checkpoint) -> None:
    """Write down, and say, where the run goes on and what it goes on with."""
    result, before = run.result, run.before
    assert before
    device = resolve_device(run.config.device)
    engine = engine_of(run.config, device.type).name
    same = (result.device, engine) == (before.device, before.engine)
    if result.versions != before.versions or before.host.get("threads") != result.host["threads"]:
        same = False
    result.resumed = [
        *before.resumed,
        {
            "epoch": begun.epoch,
            "minibatch": begun.position[1],
            "device": result.device,
            "engine": engine,
            "threads": result.host["threads"],
            "exact": same,
        },
    ]
    if not same:
        print(
            f"{before.device}, {before.engine}, {before.host.get('threads')} threads before, "
            f"{result.device}, {engine}, {result.host['threads']} threads (or other versions) now: "
            "the run goes on equal to rounding, not bit for bit"
        )
