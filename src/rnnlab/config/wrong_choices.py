"""Choices that are not there, or are made where or how they cannot be: in one sentence."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from rnnlab.config import yaml_files
from rnnlab.config.forms import given_as, value_of
from rnnlab.config.names import folders, groups
from rnnlab.config.schema import GROUPS
from rnnlab.config.synonyms import nearest

RIDDLES = {  # of Hydra
    r"Multiple values for (.*?)\. To override": "{0} is chosen already: {way}.",
    "Invalid overriding of (.*?):": "{0} is chosen already: {way}.",
    r"Could not append to config\. An item is already at '(.*)'": "+{0} is not allowed: {0} has a "
    "value already; leave out the +.",
    "force-add of config groups is not supported: '(.*)'": "{0} is not allowed: a choice is made "
    "without ++.",
    "(?:Could not|Invalid Defaults List) override '/?([^':]*)[':]": "{0} is in no defaults list: "
    "{new}.",
    "Could not delete '(.*?)'. No match in the defaults list": "~{0} is not allowed: {0} is in no "
    "defaults list.",
    "Override '(.*?) : .*' is defined before": "override /{0} is written at the end of the "
    "defaults list.",
    r"Could not delete from config\. '(.*?)' does not exist": "~{0} is not allowed: {0} is not a "
    "name in the config.",
    "Sweep parameters '(.*)' requires --multirun": "{1} has several values: add -m to train a job "
    "for each.",
}


def riddle(message: str, overrides: list[str]) -> str | None:
    """What Hydra could have said."""
    for pattern, sentence in RIDDLES.items():
        if match := re.search(pattern, message):
            name = match[1].rpartition("/")[2].partition("@")[0]  # - sampler: x in experiment/
            where = _in_defaults(match[1], overrides) or _in_defaults(name, overrides)
            way = f"write override /{name}: CHOICE" if where else "leave out the +"
            new = f"the groups are {', '.join(groups())}"
            if name in groups():
                new = way if where else f"type +{name}={value_of(given_as(name, overrides))}"
            return where + sentence.format(name, match[1], way=way, new=new)
    merged = re.search(r"Merge error: .* is not a subclass of .*value: (.*)", message)
    return _not_a_node(merged[1]) if merged else None


def _not_a_node(value: str) -> str | None:
    """log: 3, or model: gru among the values and not in the defaults list."""
    for key in ("log", "checkpoint", "stop", *GROUPS):
        for line in yaml_files.lines_of(key):
            if line.value == value:
                way = (
                    f"a choice stands in the defaults list; write - override /{key}: {value} there"
                )
                if key not in GROUPS:
                    way = "it holds several values; write each in a line of its own below it"
                return f"{line}: {key}: {value} is not allowed: {way}."
    return None


def _in_defaults(about: str, overrides: list[str]) -> str:
    """FILE, line 3: where a defaults list says it, and no override does."""
    for line in yaml_files.defaults():
        key = line.key.lstrip("/")
        if about in (key, f"{key}/{line.value}") and not given_as(key, overrides):
            return f"{line}: "
    return ""


def bad_file(missing: str, options: Sequence[str], overrides: list[str]) -> str:
    """No YAML file of that name: of a choice, or of a whole config."""
    known = groups()
    if "/" not in missing:
        where = " or ".join(map(str, folders()))
        names = [file.stem for folder in folders() for file in sorted(folder.glob("*.yaml"))]
        there = f"the configs there are {', '.join(names)}" if names else "nor another config"
        return f"--config-name: there is no {missing}.yaml in {where}; {there}."
    group = next((name for name in known if missing.startswith(f"{name}/")), None)
    group = group or missing.rpartition("/")[0]
    choice = missing.removeprefix(f"{group}/")
    inner, _, name = choice.partition("/")
    if inner in known and (where := _in_defaults(f"{inner}/{name}", overrides)):
        return f"{where}write override /{inner}: {name}."  # without / it is looked for here
    return _bad_choice(group, choice, options, _in_defaults(missing, overrides))


def _bad_choice(group: str, choice: str, options: Sequence[str], where: str) -> str:
    known = groups().get(group) or options
    if not known:
        return f"{group}={choice} is not allowed: there is no group {group}."
    close = nearest(choice.lower(), known)
    example = f"type for example {group}={(close or known)[0]}"
    if where:
        example = f"write for example override /{group}: {(close or known)[0]}"
    elif group == "dataset" and ("." in choice or Path(choice).exists()):
        example = "your own text is " + shlex.join(["dataset=text", f"dataset.path={choice}"])
    elif group == "optimizer":
        example += ", or of torch.optim optimizer=torch optimizer.algorithm=NAME"
    elif group == "clip" and re.fullmatch(r"[\d.e+-]+", choice):
        example = f"the radius is theta={choice}"
    one_of = f"{group} is one of {', '.join(known)}"
    return f"{where}{group}={choice} is not allowed: {one_of}; {example}."
