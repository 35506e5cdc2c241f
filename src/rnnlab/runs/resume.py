"""Going on with a run from its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnnlab._common.console import say
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import make_folder
from rnnlab.config.identity import FREE_IN_WORDS, config_id, flat
from rnnlab.config.own_cells import has_changed
from rnnlab.config.schema import Config
from rnnlab.config.stored import changed, from_dict
from rnnlab.data.corpus import Corpus
from rnnlab.nn.engines import ENGINES
from rnnlab.runs.checkpoint import Checkpoint
from rnnlab.runs.composed import recompose
from rnnlab.runs.folder import LAST, METRICS, begun_in, cut_back, held, remove_leftovers
from rnnlab.runs.ownership import take_over
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.record import Record
from rnnlab.runs.result import Result
from rnnlab.runs.stack import begin, train
from rnnlab.runs.staging import newest_common
from rnnlab.runs.start import Start
from rnnlab.runs.surroundings import moment, numbers_of, resolve_device, typed_command
from rnnlab.runs.trackers import log_names

PATIENCE = 60  # seconds


def resume(folder: Path, changes: Mapping[str, Any]) -> Result:
    """Go on with a run where its last checkpoint is, bit for bit as if it had not been stopped.

    `changes` are dotted names and values; only those that do not redefine the experiment may
    change. On another device or engine the run is the same to rounding. Raises ConfigError.
    """
    return resume_stack([folder], {folder: config_of(folder, changes)})[0]


def config_of(folder: Path, changes: Mapping[str, Any]) -> Config:
    """What a run goes on with."""
    return changed(stored_config(folder, Result.read(folder)), changes)


def resume_stack(
    lanes: Sequence[Path | None],
    configs: Mapping[Path, Config] | None = None,
    corpora: Corpora | None = None,
) -> list[Result]:
    """The same for runs that trained together, by their folders in the order of their lanes.

    The lane of a run that has ended, or None, stays idle: the bits of the others do not change.
    `configs` are those that differ from the runs' own.
    """
    folders = [folder for folder in lanes if folder]
    with held(folders):
        take_over(folders)
        return _go_on(lanes, configs or {}, Corpora() if corpora is None else corpora)


def train_stack(
    configs: Mapping[Path, Config], corpora: Corpora, swept: list[str], *, apart: bool = False
) -> list[Result]:
    """Begin runs together, by their folders, or go on with them where they were left.

    Another process may still be in the folders, about to end: it is waited for. What they come to
    then, their folders say: whether one of them has begun, and with which others it trained.
    `apart`: without places for these others.
    """
    folders = [*configs]
    for folder in folders:
        make_folder(folder)
    with held(folders, PATIENCE):
        take_over(folders)
        if any((folder / LAST).exists() for folder in folders):
            return _go_on(folders if apart else _as_begun(folders), configs, corpora)
        for config in configs.values():
            check(config, corpora)
        return begin([*configs.values()], folders, corpora, swept)


def _as_begun(folders: Sequence[Path]) -> list[Path | None]:
    """The lanes of the stack that they trained in; the rest stays idle."""
    names = {folder.absolute().name: folder for folder in folders}
    stacks = [Result.read(folder).stack for folder in folders]
    stack = next((stack for stack in stacks if set(names) <= {*stack}), [*names])
    return [names.get(name) for name in stack]


def _go_on(
    lanes: Sequence[Path | None], configs: Mapping[Path, Config], corpora: Corpora
) -> list[Result]:
    """In folders that are held."""
    folders = [folder for folder in lanes if folder]
    runs = {folder: Stopped.read(folder, configs.get(folder), corpora) for folder in folders}
    results = {folder: run.before for folder, run in runs.items()}
    left = {folder: run for folder, run in runs.items() if not run.is_done}
    if left:
        checkpoints = newest_common({f: run.before.config_id for f, run in left.items()})
        stack = [folder.absolute().name if folder in left else "" for folder in lanes]
        begun = dict(zip(left, checkpoints, strict=True)) if checkpoints else {}
        for folder, checkpoint in begun.items():
            left[folder].require_within(checkpoint)
        records = {f: run.go_on(stack, begun.get(f)) for f, run in left.items()}
        results |= {folder: record.result for folder, record in records.items()}
        train([records.get(folder) if folder else None for folder in lanes], checkpoints)
    return [*results.values()]


@dataclass(frozen=True)
class Stopped:
    """A run as it was left."""

    folder: Path
    config: Config  # to go on with
    corpus: Corpus
    before: Result  # what its result.json says

    @classmethod
    def read(cls, folder: Path, config: Config | None, corpora: Corpora) -> Stopped:
        """Raises ConfigError where it cannot go on with that config; its own without one."""
        before = Result.read(folder)
        config = config or stored_config(folder, before)
        corpus = check(config, corpora)
        if config_id(config, corpus.sha256) != before.config_id:
            differing = "; ".join(before.differences_to(config, corpus.sha256))
            raise ConfigError(
                f"{folder} cannot go on as another experiment ({differing}): only "
                f"{FREE_IN_WORDS} may change; start a new run for the rest."
            )
        require(
            before.epochs <= config.num_epochs,
            f"num_epochs={config.num_epochs}",
            f"{folder} has completed {before.epochs} epochs",
        )
        return cls(folder, config, corpus, before)

    @property
    def is_done(self) -> bool:
        return self.before.is_done(self.config)

    def require_within(self, checkpoint: Checkpoint) -> None:
        """Raise ConfigError for a checkpoint beyond the end."""
        epochs = self.config.num_epochs
        require(
            checkpoint.position <= (epochs, 0),
            f"continuing {self.folder} with num_epochs={epochs}",
            f"its checkpoint is after {checkpoint.epoch} epochs",
        )

    def go_on(self, stack: list[str], begun: Checkpoint | None) -> Record:
        """Its record where this checkpoint left it, or empty without one; cuts back the logs.

        Raises ConfigError, before anything is touched, where the checkpoint does not fit.
        """
        folder, before, device = self.folder, self.before, resolve_device(self.config.device)
        figures: dict[str, Any] = {}
        lengths: dict[str, int] = {}  # without a checkpoint it was killed before the first one
        if begun:
            if begun.progress is None:
                raise ConfigError(f"{folder / LAST} has no run to continue: it is a model alone.")
            figures = asdict(begun.progress.figures)
            lengths = {METRICS: 0} | begun.progress.lengths
        else:
            Start.of(self.config)
        cut_back(folder, lengths, log_names())
        remove_leftovers(folder)
        formerly = _formerly(before, self.config)
        if formerly != before.formerly:
            recompose(folder, self.config, formerly[-1])
        record = Record.begun(
            self.config,
            self.corpus,
            folder,
            device,
            stack=stack,
            init_from=before.init_from,
            swept=before.swept,
            wall_seconds=before.wall_seconds,
            began=before.began,
            command=before.command,
            resumed=[*before.resumed],
            formerly=formerly,
            **figures,
        )
        if begun:
            _note_where(before, record.result, begun)
        if said := has_changed(self.config):
            say(said)
        return record


def stored_config(folder: Path, result: Result) -> Config:
    """As a run was trained last; paths are seen from where its command was typed."""
    return from_dict(result.config).placed(begun_in(folder) or Path.cwd())


def _formerly(before: Result, config: Config) -> list[dict[str, Any]]:
    """With what this config changes: a folder is still the job that it was."""
    new = flat(config.as_dict())
    changes = {n: value for n, value in before.settings.items() if n in new and value != new[n]}
    return [*before.formerly, changes] if changes else [*before.formerly]


def _note_where(before: Result, result: Result, begun: Checkpoint) -> None:
    """Write down, and say, where the run goes on and what it goes on with."""
    was, now = _bits_depend_on(before), _bits_depend_on(result)
    epoch, minibatch = begun.position
    result.resumed.append(
        {
            "epoch": epoch,
            "minibatch": minibatch,
            "began": moment(),
            "command": typed_command(),
            "device": result.device,
            "engine": result.engine,
            "threads": result.host["threads"],
            "exact": was == now,
        }
    )
    if was != now:
        names = [name for name in now if was.get(name) != now[name]]
        other = [f"{name} {was.get(name)} -> {now[name]}" for name in names]
        say(f"the run goes on equal to rounding, not bit for bit: {', '.join(other)}")


def _bits_depend_on(result: Result) -> dict[str, Any]:
    """What the last bits of a result depend on, besides its config, by name."""
    is_compiled = result.engine in ENGINES and ENGINES[result.engine].is_compiled
    versions = {n: v for n, v in result.versions.items() if is_compiled or n != "numba"}
    return {
        "device": result.device,
        "engine": result.engine,
        **numbers_of(result.host, threads=not is_compiled),
        **versions,
    }
