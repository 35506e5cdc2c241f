"""The commands of an experiment's study: as they are written, with other words, and where it is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab.config.names import all_keys
from rnnlab.config.stored_words import not_taken
from rnnlab.config.synonyms import did_you_mean
from rnnlab.config.words import is_override, key_of
from rnnlab.config.zipped import ZIPPED
from rnnlab.experiments.reading import Node

PROGRAMS = (("python", "run.py"), ("rnnlab", "train"))
OF_STUDIES = ("jobs", "on_invalid", "backend")  # beside knobs and choices
ELSEWHERE = ("sweep", "resume", "plan", "detach")  # its study is trained, or not waited for


def words_of(node: Node) -> tuple[str, ...]:
    """Those of a command that trains a study; raises ConfigError for another one."""
    try:
        typed = shlex.split(node.text())
    except ValueError as error:
        node.refuse(f"a command is as one types it, and this one has {str(error).lower()}")
    if tuple(typed[:2]) not in PROGRAMS or "-m" not in typed:
        node.refuse("a command trains a study; write python run.py -m NAME=VALUE,VALUE")
    return settings_of(node, [word for word in typed[2:] if word != "-m"])


def settings_of(node: Node, words: Sequence[str]) -> tuple[str, ...]:
    """The words, which are NAME=VALUE; raises ConfigError for another one, or another name."""
    known = all_keys()
    for word in words:
        name = key_of(word)
        if not is_override(word) or name in ELSEWHERE:
            node.refuse(f"{word} is no setting; the commands' words are NAME=VALUE")
        if name not in known and not _is_special(word, words):
            hint = did_you_mean(name, known) or "python run.py --help lists all"
            node.refuse(f"{name} is no setting; {hint}")
    return tuple(words)


def _is_special(word: str, words: Sequence[str]) -> bool:
    """No knob of ours, but a study's, Hydra's, torch's or that of a choice of one's own."""
    name, group = key_of(word), key_of(word).partition(".")[0]
    own = [other for other in words if key_of(other) == group != name]
    return (
        name in OF_STUDIES
        or name.startswith(("hydra.", "hydra/", "optimizer.options."))
        or ZIPPED.fullmatch(word) is not None
        or bool(not_taken(own))
    )


def with_words(commands: Sequence[Sequence[str]], others: Sequence[str]) -> list[list[str]]:
    """The commands with other words in the place of those of the same name.

    Raises ConfigError for what is no setting.
    """
    for word in others:
        require(is_override(word), word, "type NAME=VALUE, as on the command line")
        rule = "an experiment has a folder of its own, in which it is trained to its end"
        require(key_of(word) not in ELSEWHERE, word, rule)
    new = {key_of(word): word for word in others}
    return [
        [*(new.get(key_of(word), word) for word in command)]
        + [word for name, word in new.items() if name not in map(key_of, command)]
        for command in commands
    ]


def study_folder(name: str, commands: Sequence[Sequence[str]]) -> Path:
    """Where these are trained; other commands have another folder, so that no run is mistaken."""
    mark = sha256(json.dumps([*map(list, commands)]).encode()).hexdigest()[:8]
    return Path("outputs/experiments") / f"{name}_{mark}"
