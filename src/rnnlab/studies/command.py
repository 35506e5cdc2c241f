"""A command line: what of it is rnnlab's own, and what Hydra is to see; and a study's commands.

    sweep=FOLDER      a study's folder, whatever its name
    plan=true         show what a study would train
    on_invalid=skip   train the valid jobs of a study
    resume=FOLDER     go on with a run, or with a study as it was made

A study's folder has its commands, so that it is enough to go on with it: Hydra's own multirun.yaml
holds the last one only, and nothing of --config-dir. A command says which jobs there are; what has
become of them is in their folders.
"""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab._common.files import read_bytes, write_whole
from rnnlab._common.typed import loads

COMMANDS = "commands.jsonl"  # in the study's folder: a list of arguments a line
MOST = 1 << 20  # bytes of it
SWEEP_DIR = "hydra.sweep.dir="
OTHER_LAUNCHER = re.compile("hydra/launcher=(?!stacked)")


class Shown(Exception):  # noqa: N818 (no error)
    """plan=true: the study was shown; whoever waits for its jobs waits in vain."""


@dataclass
class Command:
    hydras: list[str]  # its arguments for Hydra
    plan: bool = False
    skips_invalid: bool = False
    resumed: Path | None = None
    is_stacked_study: bool = False
    is_stored: bool = False  # its words come from a folder, and not from a person
    again: list[str] = field(default_factory=list)  # to be noted: all but the folder and plan


def commands_of(arguments: list[str]) -> list[Command]:
    """One command; of resume=STUDY those that it was made with, each with what is given besides.

    Raises ConfigError where a stored command has a word that only a person may say, and nobody did.
    """
    for argument in arguments:
        study = Path(argument.removeprefix("resume="))
        if argument.startswith("resume=") and (made_with := _noted(study)):
            besides = [other for other in arguments if other != argument]
            return [_stored(made, besides, study) for made in made_with]
    return [_command(arguments)]


def _stored(made: list[str], besides: list[str], study: Path) -> Command:
    from rnnlab.config.stored_words import not_taken  # and the config's names

    refused = [word for word in not_taken(made) if word not in besides]
    require(
        not refused,
        f"{shlex.join(refused)}, which {study / COMMANDS} asks for,",
        "a folder's word is not enough for it; if it is what you want, type it: "
        f"rnnlab resume {shlex.join([str(study), *refused])}",
    )
    new = [word for word in besides if word not in made]
    command = _command(_joined(made, [*new, f"sweep={study}"]))
    command.is_stored = True
    return command


def _joined(made: list[str], new: list[str]) -> list[str]:
    """With all overrides side by side: Hydra reads none after a flag that stands among them."""
    given = [word for word in new if _is_override(word)]
    last = max((i for i, word in enumerate(made, 1) if _is_override(word)), default=len(made))
    flags = [word for word in new if not _is_override(word)]
    return [*made[:last], *given, *made[last:], *flags]


def _is_override(word: str) -> bool:
    return "=" in word and not word.startswith("-")


def _command(arguments: list[str]) -> Command:
    """Raises ConfigError where a word is out of place."""
    is_study = bool({"-m", "--multirun"} & set(arguments))
    is_stacked = is_study and not any(map(OTHER_LAUNCHER.match, arguments))
    command = Command([], is_stacked_study=is_stacked)
    for given in arguments:
        name, _, value = given.partition("=")
        if name in ("sweep", "plan", "on_invalid"):
            require(is_study, given, "it is a study's; add -m")
        if name in ("plan", "on_invalid"):
            require(is_stacked, given, "only hydra/launcher=stacked knows it")
        match name:
            case "sweep" | "resume":
                require(bool(value), given, f"type {name}=FOLDER")
            case "plan":
                require(value in ("true", "false"), given, "plan is true or false")
            case "on_invalid":
                require(value in ("abort", "skip"), given, "on_invalid is abort or skip")
        match name:
            case "sweep":
                from rnnlab.config.typed_words import quoted  # and Hydra

                command.hydras.append(SWEEP_DIR + quoted(value))
            case "resume":
                command.resumed = Path(value)
            case "plan":
                command.plan = value == "true"
            case "on_invalid":
                command.skips_invalid = value == "skip"
            case _:
                command.hydras.append(given)
        if name not in ("sweep", "plan") and not given.startswith(SWEEP_DIR):
            command.again.append(given)
    return command


def note(sweep: Path, command: Command) -> None:
    """Add a command to a study's, if it is a new one."""
    noted = _noted(sweep)
    if command.again not in noted:
        lines = [json.dumps(words, ensure_ascii=False) for words in [*noted, command.again]]
        write_whole(sweep, COMMANDS, "\n".join(lines) + "\n")


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
