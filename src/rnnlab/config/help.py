"""What --help shows: every choice and every value with its default, meaning and range."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from rnnlab._common.program import training
from rnnlab.config.described import (
    Described,
    about,
    chosen,
    in_order,
    knobs_of,
    knobs_of_config,
    primary,
)
from rnnlab.config.names import groups

WIDTH = 80
COLUMN = 26  # where meanings begin
LONGEST = 40  # characters of a default
TOGETHER = "\N{NO-BREAK SPACE}"  # words that stay in one line
BEGINNING = """\
Train a recurrent language model, or with -m a study of many.

  {program} sampler=random lr=1
  {program} dataset=text dataset.path=FILE model=lstm theta=5
  {program} -m lr=0.3,1,3 seed=0,1,2
"""
ENDING = """\
Of a study (-m):
  plan=true               show its jobs, stacks, memory and time; train nothing
  sweep=FOLDER            its folder: a study that is there goes on, or grows
  on_invalid=skip         train the valid jobs; abort, the default, trains none
  backend=slurm           its stacks are jobs of a queue: slurm, ray; or local
  detach=true             leave it to train; rnnlab status FOLDER says how it is
  resume=FOLDER           go on with a run or a study; num_epochs=N: for longer

Of Hydra:
  hydra.run.dir=FOLDER    a run's folder
  --config-dir FOLDER     YAML files of your own: FOLDER/experiment/mine.yaml is
                          experiment=mine
  --config-name NAME      compose NAME.yaml of these instead of config.yaml
  --cfg job               print the composed config, and run nothing
  --hydra-help            Hydra's other flags

A list is typed 'NAME=[a,b]', and what has signs of the shell's goes in quotes."""


def help_text() -> str:
    """The whole page."""
    parts = {
        "Choices (GROUP=CHOICE), and the default:": _choices(),
        "Values (NAME=VALUE), and the default:": _knobs(knobs_of_config()),
        "Values of a choice (GROUP.NAME=VALUE); of others, what differs:": _of_choices(),
    }
    sections = ["\n".join([title, *lines]) + "\n" for title, lines in parts.items()]
    return "\n".join([BEGINNING.format(program=training()), *sections, ENDING])


def _choices() -> Iterator[str]:
    defaults = chosen(primary())
    for group in in_order():
        default = defaults.get(group)
        plus = "" if group in defaults else "+"  # a user's own, which is in no defaults list
        yield f"  {plus}{group}={default}" if default else f"  {plus}{group}"
        for name in groups()[group]:
            yield from _entry(f"    {name}", about(group, name))


def _knobs(knobs: Iterable[Described]) -> Iterator[str]:
    """Each knob: its value as one types it, what it means, what it may be."""
    for knob in knobs:
        value = (
            knob.default if len(knob.default) <= LONGEST else f"{knob.default[: LONGEST - 3]}..."
        )
        allowed = f"({knob.allowed})".replace(" ", TOGETHER)
        yield "\n".join(_entry(f"  {knob.name}={value}", f"{knob.meaning} {allowed}"))


def _of_choices() -> Iterator[str]:
    """The knobs of each choice, under the choice; not those that stand above for its group."""
    shown: set[Described] = set()
    for group, names in groups().items():
        for name in names:
            knobs = knobs_of(group, name)
            if new := [knob for knob in knobs if knob not in shown]:
                yield f" {group}={name}"
                yield from _knobs(new)
            shown |= {*new}


def _entry(name: str, about: str) -> list[str]:
    """A name, and beside it, or below where it is long, what is said of it."""
    lines = [line.replace(TOGETHER, " ") for line in textwrap.wrap(about, WIDTH - COLUMN)]
    indented = [" " * COLUMN + line for line in lines]
    if len(name) >= COLUMN or not lines:
        return [name, *indented]
    return [f"{name:<{COLUMN}}{lines[0]}", *indented[1:]]
