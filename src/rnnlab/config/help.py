"""What --help shows above Hydra's own flags: choices, and every value with meaning and range."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnlab.config.names import conf_dir, groups
from rnnlab.config.schema import Config, nodes

COLUMN = 28  # where meanings begin


def help_text() -> str:
    """The whole page."""
    lines = [
        "Train a recurrent language model, or with -m a study of many.",
        "",
        "  python run.py sampler=random lr=1",
        "  python run.py dataset=text dataset.path=FILE model=lstm optimizer=adam lr=0.003",
        "  python run.py -m lr=0.3,1,3 seed=0,1,2",
        "",
        "Choices (NAME=CHOICE):",
        *(f"  {group:<10} {', '.join(choices)}" for group, choices in groups().items()),
        "",
        "Values (NAME=VALUE) and their defaults:",
        *_values(Config, OmegaConf.load(Path(conf_dir()) / "config.yaml"), "  "),
        "",
        "Values of a choice (GROUP.NAME=VALUE); size sets num_hiddens and num_layers:",
        *_choice_values(),
        "",
        "Of a study (-m):",
        "  plan=true              show its jobs, stacks, memory and time; train nothing",
        "  sweep=FOLDER           its folder: a study that is there goes on, or grows",
        "  on_invalid=skip        train the valid jobs; abort, the default, trains none",
        "  resume=FOLDER          go on with a run or a study, as it was begun",
        "",
        "--cfg job prints the composed config and runs nothing; --hydra-help lists Hydra's flags.",
    ]
    return "\n".join(lines)


def _values(kind: Any, defaults: Any, indent: str) -> Iterator[str]:
    """A line for each knob that has a default, as conf/config.yaml sets it."""
    for field in dataclasses.fields(kind):
        if field.name not in defaults:
            continue
        default = defaults[field.name]
        if isinstance(default, DictConfig):
            yield f"{indent}{field.name}:"
            yield from _values(field.type, default, indent + "  ")
            continue
        value = OmegaConf.to_yaml(OmegaConf.create({field.name: default})).strip()
        yield f"{indent + value:<{COLUMN}}{_meaning(field)}".rstrip()


def _choice_values() -> Iterator[str]:
    """A line for each choice that has values of its own."""
    for path, kind in nodes().items():
        _, group, *choice = path.split("/")
        names = [f"{group}.{field.name}" for field in dataclasses.fields(kind)]
        own = [name for name in names if not name.endswith(".name")]
        if choice and own:
            yield f"  {group}={choice[0]}: {', '.join(own)}"


def _meaning(field: dataclasses.Field[Any]) -> str:
    """learning rate; >= 0."""
    known = [field.metadata.get("meaning"), field.metadata.get("allowed")]
    return "; ".join(str(part) for part in known if part)
