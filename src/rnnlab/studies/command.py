"""A command line: what of it is rnnlab's own, and what Hydra is to see; and a study's commands.

    sweep=FOLDER      a study's folder, whatever its name
    plan=true         show what a study would train
    on_invalid=skip   train the valid jobs of a study
    backend=slurm     where it trains: local, slurm or ray
    detach=true       leave it to train, and end
    resume=FOLDER     go on with a run, or with a study as it was made

A study's folder has its commands, so that it is enough to go on with it: Hydra's own multirun.yaml
holds the last one only, and nothing of --config-dir. A command says which jobs there are; what has
become of them is in their folders. A line that begins with resume is no command: it says what was
changed of the jobs of all commands above it (num_epochs=80).
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError, not_allowed, require
from rnnlab._common.files import entered, read_bytes, write_whole
from rnnlab._common.program import resuming, training
from rnnlab._common.typed import loads
from rnnlab.config.backends import BACKENDS
from rnnlab.config.identity import FREE_IN_WORDS, is_free
from rnnlab.config.names import all_keys
from rnnlab.config.own_cells import know
from rnnlab.config.words import as_override, is_override, key_of, quoted
from rnnlab.runs.folder import HYDRAS, RESULT, begun_in
from rnnlab.runs.result import Result

COMMANDS = "commands.jsonl"  # in the study's folder: a list of arguments a line
MOST = 1 << 20  # bytes of it
SWEEP_DIR = "hydra.sweep.dir="
MODE = "hydra.mode="
TYPED_IN = "cwd="  # the last word of a line: the folder that its relative paths are seen from
CHANGES = "resume"  # the first word of a line that changes jobs
FLAGS = ("-m", "--multirun")


class Shown(Exception):  # noqa: N818 (no error)
    """plan=true: the study was shown; whoever waits for its jobs waits in vain."""


@dataclass(frozen=True)
class Change:
    """What going on with a study makes of its jobs."""

    values: Mapping[str, Any]  # by dotted names
    home: Path  # what paths are seen from


@dataclass
class Command:
    hydras: list[str]  # its arguments for Hydra
    plan: bool = False
    skips_invalid: bool = False
    detach: bool = False
    resumed: Path | None = None
    sweep: Path | None = None  # a study's folder, if it is given
    is_stored: bool = False  # its words come from a folder, and not from a person
    home: Path = field(default_factory=Path.cwd)  # what its relative paths are seen from
    again: list[str] = field(default_factory=list)  # to be noted: all but the folder and plan
    studys: list[str] = field(default_factory=list)  # those of its words that only a study has
    change: Change | None = None  # typed now, for all its jobs

    @property
    def line(self) -> list[str]:
        return [*self.again, f"{TYPED_IN}{self.home}"]


def commands_of(arguments: list[str]) -> list[Command]:
    """One command; of resume=STUDY those that it was made with, each with what is given besides.

    Raises ConfigError where a stored command has a word that only a person may say, and nobody did,
    and where what is given would make other experiments of the jobs.
    """
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name != "resume" or not value:
            continue
        study = entered(value)
        if made_with := [line for line in _noted(study) if line[0] != CHANGES]:
            _know_cells(made_with, study)
            besides = [other for other in arguments if other != argument]
            change, besides = _change(besides, made_with, study)
            return [_stored(made, besides, study, change) for made in made_with]
    return [_command(arguments)]


def _know_cells(made_with: list[list[str]], study: Path) -> None:
    """Cells of one's own that the study's jobs have; raises ConfigError for one unknown here."""
    if not any(key_of(word) == "model" and ".py" in word for line in made_with for word in line):
        return
    for path in sorted(study.glob(f"*/{RESULT}")):
        result = Result.find(path.parent)
        if result and isinstance(model := result.config.get("model"), dict):
            know(model)


def _stored(made: list[str], besides: list[str], study: Path, change: Change | None) -> Command:
    from rnnlab.config.stored_words import not_taken  # and the config's names

    made, home = _apart(made, _begun_in(study))
    refused = [word for word in not_taken(made) if word not in besides]
    require(
        not refused,
        f"{shlex.join(refused)}, which {study / COMMANDS} asks for,",
        "a folder's word is not enough for it; if it is what you want, type it: "
        f"{resuming(study, *refused)}",
    )
    new = [word for word in besides if word not in made]
    command = _command([*made, *new, f"sweep={study}"])
    command.is_stored, command.home, command.again = True, home, _noted_words(made)
    command.change = change
    return command


def _change(
    besides: list[str], made_with: list[list[str]], study: Path
) -> tuple[Change | None, list[str]]:
    """What is to be changed of all jobs, and the other words; raises ConfigError.

    A name that the config does not have is left for Hydra to answer.
    """
    from rnnlab.config.compose import values_of

    known, stored = {*all_keys()}, {word for made in made_with for word in made}
    named = [word for word in besides if is_override(word) and key_of(word) in known]
    changes = [word for word in named if is_free(key_of(word))]
    for word in named:
        if word not in changes and word not in stored:
            made, _ = _apart(made_with[-1])
            new = [word if key_of(old) == key_of(word) else old for old in made]
            new += [word] if word not in new else []
            raise ConfigError(
                f"{word} would make other jobs of those in {study}, which go on as they are: "
                f"{FREE_IN_WORDS} may change. For new jobs beside them type: "
                f"{training(*new, f'sweep={study}')}"
            )
    others = [word for word in besides if word not in named]
    return (Change(values_of(changes), Path.cwd()) if changes else None), others


def _command(arguments: list[str]) -> Command:
    """Raises ConfigError where a word is out of place."""
    command = Command([], again=_noted_words(arguments))
    for given in arguments:
        name, _, value = given.partition("=")
        match name:
            case "sweep" | "resume":
                require(bool(value), given, f"type {name}=FOLDER")
            case "plan":
                require(value in ("true", "false"), given, "plan is true or false")
            case "on_invalid":
                require(value in ("abort", "skip"), given, "on_invalid is abort or skip")
            case "detach":
                require(value in ("true", "false"), given, "detach is true or false")
            case "backend":
                require(value in BACKENDS, given, f"backend is one of {', '.join(BACKENDS)}")
        if name in ("sweep", "plan", "on_invalid", "backend", "detach"):
            command.studys.append(given)
        match name:
            case "sweep":
                command.sweep = entered(value)
                command.hydras.append(SWEEP_DIR + quoted(str(command.sweep)))
            case "resume":
                command.resumed = entered(value)
            case "plan":
                command.plan = value == "true"
            case "on_invalid":
                command.skips_invalid = value == "skip"
            case "detach":
                command.detach = value == "true"
            case "backend":
                command.hydras.append(f"hydra.launcher.backend={value}")
            case _:
                command.hydras.append(given)
    return command


def _noted_words(arguments: list[str]) -> list[str]:
    """Those of a study's command that say which jobs it has: the same for -m and hydra.mode."""
    words = [
        word
        for word in arguments
        if word.partition("=")[0] not in ("sweep", "plan", "detach")
        and not word.startswith((SWEEP_DIR, MODE))
    ]
    return words if {*FLAGS} & {*words} else ["-m", *words]


# --- a study's lines -------------------------------------------------------------------------


def note(sweep: Path, command: Command) -> None:
    """Add a command to a study's if it is a new one, and what it changes of those before."""
    noted = before = _noted(sweep)
    if command.again not in [_apart(line)[0] for line in noted]:
        noted = [*noted, command.line]
    if command.change:
        words = [as_override(name, value) for name, value in command.change.values.items()]
        line = [CHANGES, *words, f"{TYPED_IN}{command.change.home}"]
        noted = noted if noted[-1] == line else [*noted, line]
    if noted != before:
        lines = [json.dumps(words, ensure_ascii=False) for words in noted]
        write_whole(sweep, COMMANDS, "\n".join(lines) + "\n")


def changes_of(sweep: Path, command: Command) -> list[Change]:
    """What was changed of the jobs of a command since it was noted; raises ConfigError."""
    from rnnlab.config.compose import values_of

    lines = [(*_apart(line), line[0] == CHANGES) for line in _noted(sweep)]
    place = next((i for i, (words, _, _) in enumerate(lines) if words == command.again), len(lines))
    changes = [Change(values_of(words[1:]), home) for words, home, is_it in lines[place:] if is_it]
    if foreign := [name for change in changes for name in change.values if not is_free(name)]:
        raise not_allowed(
            f"{foreign[0]}, which {sweep / COMMANDS} changes,", "it is the experiment's own"
        )
    return changes


def _apart(line: list[str], otherwise: Path | None = None) -> tuple[list[str], Path]:
    """A line's words, and where they were typed, if it is told."""
    homes = [word.removeprefix(TYPED_IN) for word in line if word.startswith(TYPED_IN)]
    words = [word for word in line if not word.startswith(TYPED_IN)]
    return words, Path(homes[-1]) if homes else otherwise or Path.cwd()


def _begun_in(study: Path) -> Path | None:
    """Where the study was begun, as its first job tells: older lines do not."""
    first = min(study.rglob(HYDRAS), default=None)
    return begun_in(first.parents[1]) if first else None


def _noted(sweep: Path) -> list[list[str]]:
    """All that can be read, oldest first; none where the folder is not a study's."""
    try:
        lines = read_bytes(sweep, COMMANDS, MOST).split(b"\n")
    except OSError:
        return []
    return [words for line in lines if (words := _words(line))]


def _words(line: bytes) -> list[str]:
    """Those of a line; none of a torn one, or of one that is no list of words."""
    try:
        words = loads(line)
    except ValueError:
        return []
    are_words = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return words if are_words else []
