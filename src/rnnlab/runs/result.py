"""result.json: a run in one object, written atomically at its start and at its end."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rnnlab._common.choices import knob
from rnnlab._common.errors import ConfigError, said
from rnnlab._common.files import read_bytes, write_whole
from rnnlab._common.typed import loads, read_as
from rnnlab.config.identity import LENGTH, brought_up, differing, flat, is_free
from rnnlab.config.schema import Config
from rnnlab.config.stored import changed
from rnnlab.runs.folder import MOST_OF_RESULT, RESULT, is_name

SCHEMA_VERSION = 2
FAR_BEYOND = 10  # times the perplexity of guessing


class Status(StrEnum):
    """How a run is, or how it ended."""

    running = "running"
    completed = "completed"
    diverged = "diverged"
    interrupted = "interrupted"
    failed = "failed"

    __repr__ = str.__repr__  # in sentences it is the word that result.json has

    @property
    def has_ended(self) -> bool:
        """There is news of the run: nobody trains it any more, or will without being asked."""
        return self in (Status.completed, Status.diverged, Status.failed)

    @property
    def is_final(self) -> bool:
        """Its training came to an end of its own: again it would come to the same."""
        return self in (Status.completed, Status.diverged)


@dataclass(kw_only=True)
class Result:
    """Everything there is to say of a run. What does not apply is null, never absent."""

    schema_version: int = knob("of this file's keys", default=SCHEMA_VERSION)
    status: Status = knob(
        "running, completed, diverged, interrupted or failed", default=Status.running
    )
    process: int = knob("the id of the process that trains, or trained last")
    job: str | None = knob("and what a queue calls it: slurm 123", default=None)
    owner: str | None = knob("its mark, which no other process has", default=None)
    heartbeat: str | None = knob("when it last said that it is alive", default=None)
    error: str | None = knob("why it is not completed", default=None)
    stopped: str | None = knob(
        "stop.*: why it is completed, and would be if it were longer", default=None
    )
    warnings: list[str] = knob("what went wrong besides training", default_factory=list)
    perplexity: float | None = knob(
        "of the last epoch, over its minibatches as trained on", default=None
    )
    best_perplexity: float | None = knob(
        "of best.safetensors: held-out where text is held out", default=None
    )
    val_perplexity: float | None = knob(
        "of held-out text, the last time that it was taken", default=None
    )
    excess_nats: float | None = knob(
        "nats a token of the figure that counts above what its text costs whoever knows the source",
        default=None,
    )
    lengths: dict[str, dict[str, float | None]] = knob(
        "of eval.lengths, by length: perplexity, excess_nats, accuracy of the answers",
        default_factory=dict,
    )
    epochs: int = knob("completed", default=0, at_least=0)
    tokens: int = knob("trained on", default=0, at_least=0)
    tokens_per_second: float | None = knob(
        "while training: logging and sampling do not count", default=None
    )
    stack_tokens_per_second: float | None = knob(
        "of all runs that trained with it, itself included", default=None
    )
    wall_seconds: float | None = knob("of training, logging and all else", default=None)
    began: str | None = knob("ISO 8601, with the offset of the time zone", default=None)
    ended: str | None = knob("the same, the last time", default=None)
    command: str | None = knob("as it was typed: of a job its study's", default=None)
    device: str = knob("what it ran on: cpu, cuda:0")
    engine: str = knob("what computed the gradients")
    precision: str = knob("of products and parameters")
    seed: int = knob("of initial weights, minibatches and dropout")
    samples: dict[str, str] = knob("the last texts it wrote, by prefix", default_factory=dict)
    dataset: dict[str, Any] = knob(
        "the text: its name, sha256, tokens to train on, size of the vocabulary"
    )
    config: dict[str, Any] = knob("every setting, nested, as it was trained last")
    config_id: str = knob("twelve hex digits, equal for equal experiments")
    versions: dict[str, str] = knob("of rnnlab, Python, torch and others")
    git: dict[str, Any] | None = knob("sha of the checkout, and whether it was dirty")
    host: dict[str, Any] = knob("the machine")
    stack: list[str] = knob(
        'the folders of its stack\'s lanes; "": an idle lane', default_factory=list
    )
    init_from: str | None = knob("what of another run's model it began with", default=None)
    swept: list[str] = knob("the settings that its study's jobs differ in", default_factory=list)
    resumed: list[dict[str, Any]] = knob(
        "each time that it went on: where, when, and on what", default_factory=list
    )
    formerly: list[dict[str, Any]] = knob("values that going on changed", default_factory=list)

    def __post_init__(self) -> None:
        if not all(name == "" or is_name(name) for name in self.stack):
            raise ValueError("its stack has another name than a folder's")
        if not all(re.fullmatch("[0-9]{1,18}", length) for length in self.lengths):
            raise ValueError("its lengths are no whole numbers")

    @classmethod
    def read(cls, folder: Path) -> Result:
        """A run's result.json; raises ConfigError for anything else."""
        path = folder / RESULT
        try:
            values = loads(read_bytes(folder, RESULT, MOST_OF_RESULT))
            if values["schema_version"] != SCHEMA_VERSION:
                raise ValueError(f"its schema_version is {values['schema_version']}")
            result = read_as(cls, values)
            result.config = brought_up(result.config) if result.config else {}
            result.judge()  # older versions did not
            return result
        except FileNotFoundError:
            raise ConfigError(
                f"{folder} is not the folder of a run: it has no result.json."
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path} is not a result of rnnlab, or is damaged: {said(error)}."
            ) from None

    @classmethod
    def find(cls, folder: Path) -> Result | None:
        """What `read` reads, if there is something to read."""
        try:
            return cls.read(folder)
        except ConfigError:
            return None

    @classmethod
    def without_run(cls, error: str) -> Result:
        """Of a job that could not be trained: there is nothing else to say of it."""
        return cls(
            status=Status.failed,
            error=error,
            process=os.getpid(),
            device="none",
            engine="none",
            precision="none",
            seed=0,
            dataset={},
            config={},
            config_id="",
            versions={},
            git=None,
            host={},
        )

    @property
    def figure(self) -> float | None:
        """The one that counts: held out where text is held out, else of training."""
        return self.perplexity if self.val_perplexity is None else self.val_perplexity

    @property
    def floor(self) -> float | None:
        """The perplexity that no model stays below; None of a text of which nobody knows it."""
        found = self.dataset.get("entropy_floor_perplexity")
        return found if isinstance(found, float) and found >= 1 else None

    @property
    def excess(self) -> float | None:
        """Nats a token above what whoever knows the source pays for the text."""
        if not self.floor or not self.figure or not 0 < self.figure < math.inf:
            return None
        paid = self.dataset.get("source_nats")
        rate = math.log(self.floor)  # of an older version's run
        return math.log(self.figure) - (paid if isinstance(paid, float) else rate)

    def judge(self) -> None:
        """What came to its end far beyond guessing has diverged, if by finite numbers.

        Whoever guesses among V tokens, each as likely as the others, has the perplexity V.
        """
        V = self.dataset.get("vocab_size")
        is_beyond = isinstance(V, int) and self.perplexity and self.perplexity > FAR_BEYOND * V
        if self.status == Status.completed and is_beyond:
            self.status = Status.diverged
            self.error = (
                f"it ended at perplexity {self.perplexity:.4g}, where guessing among its {V} "
                f"tokens has {V}; a smaller lr may help"
            )

    @property
    def has_ended(self) -> bool:
        return self.status.has_ended

    def is_done(self, config: Config) -> bool:
        """There is nothing left to train: no epoch, or no finite number to go on with.

        What has stopped early stays so, however many epochs there are, until stop.* is another.
        """
        at_its_end = self.stopped is not None or self.epochs == self.config.get("num_epochs")
        is_broken = self.status == Status.diverged and not at_its_end
        has_stopped = self.stopped is not None and self.config["stop"] == config.as_dict()["stop"]
        is_over = self.epochs >= config.num_epochs or has_stopped or is_broken
        return self.status.is_final and is_over

    @property
    def settings(self) -> dict[str, Any]:
        """By dotted names, as it was trained last."""
        return flat(self.config)

    def settings_before(self) -> Iterator[dict[str, Any]]:
        """As it was trained before each time that going on changed something, latest first."""
        settings = self.settings
        for before in reversed(self.formerly):
            settings = settings | before
            yield settings

    def kept_in(self, config: Config, is_stored: bool) -> Config:
        """The config that the run goes on with, where a command asks for it with this one.

        What it was changed from when it went on is not what it goes back to: how far always,
        of other settings where the command is no news (`is_stored`).
        """
        values = flat(config.as_dict())
        kept = {
            name: now
            for name, now in self.settings.items()
            if (is_free(name) if is_stored else name in LENGTH)
            if name in values and now != values[name]
            if any(before.get(name) == values[name] for before in self.formerly)
            or (name == "num_epochs" and values[name] < self.epochs)
        }
        return changed(config, kept) if kept else config

    def differences_to(self, config: Config, sha256: str) -> list[str]:
        """What of this run's definition that config, and its text, have otherwise."""
        old, new = self.settings, flat(config.as_dict())
        found = [
            f"{name}: {old.get(name)} -> {new.get(name)}"
            for name in differing([old, new])
            if not is_free(name)
        ]
        if sha256 != self.dataset.get("sha256"):
            found.append(f"the text: sha256 {self.dataset.get('sha256')} -> {sha256}")
        return found

    def write(self, folder: Path) -> None:
        self.excess_nats = self.excess
        text = to_json(dataclasses.asdict(self), indent=2) + "\n"
        write_whole(folder, RESULT, text.encode(errors="replace"))  # a name can be no UTF-8


def to_json(values: Any, indent: int | None = None) -> str:
    """Strict JSON, which other languages can read."""
    return json.dumps(_strict(values), indent=indent, ensure_ascii=False, allow_nan=False)


def _strict(value: Any) -> Any:
    """JSON has no infinity and no NaN: they become null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _strict(item) for key, item in value.items()}
        case list() | tuple():
            return [_strict(item) for item in value]
    return value
