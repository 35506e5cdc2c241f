"""results.json: a study in one file, from which its claims, tables and figures come.

experiment, commands    what was trained
surroundings            versions, commit, machine, engines, when, and for how long all stacks
claims                  by name: holds, value, above, below, why it could not be answered
shared                  the settings that all runs have
runs                    a line each: folder, the settings that differ, figures, curves if drawn
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError, said
from rnnlab._common.files import read_bytes, write_whole
from rnnlab._common.typed import loads, read_as
from rnnlab.config.identity import by_value, differing
from rnnlab.experiments.claims import Verdict
from rnnlab.experiments.rows import Row
from rnnlab.results.run import Run
from rnnlab.results.study import Study
from rnnlab.runs.result import to_json

RESULTS = "results.json"
MOST = 64 << 20  # bytes of it


@dataclass(frozen=True)
class Surroundings:
    """What a study was measured with; where runs differ in it, a list of what each had."""

    versions: Any
    commit: Any
    cores: Any
    platform: Any
    device: Any
    engine: Any
    precision: Any
    ended: str | None  # ISO 8601, of the run that ended last
    stacks: int | None
    minutes: float | None  # of all stacks together

    def __post_init__(self) -> None:
        """Raises ValueError for an end that is no time."""
        if self.ended:
            datetime.fromisoformat(self.ended)

    @classmethod
    def of(cls, study: Sequence[Run]) -> Surroundings:
        results = [run.result for run in study]
        hosts = [result.host for result in results]
        stacks: dict[tuple[str, ...], float] = {}  # each trains on one core, or on one GPU
        for run in study:
            key = (*run.result.stack,) or (run.name,)
            stacks[key] = max(stacks.get(key, 0), run.result.wall_seconds or 0)
        return cls(
            versions=_same(result.versions for result in results),
            commit=_same((result.git or {}).get("sha") for result in results),
            cores=_same(host.get("cpus") for host in hosts),
            platform=_same(host.get("platform") for host in hosts),
            device=_same(result.device for result in results),
            engine=_same(result.engine for result in results),
            precision=_same(result.precision for result in results),
            ended=max((result.ended for result in results if result.ended), default=None),
            stacks=len(stacks),
            minutes=sum(stacks.values()) / 60,
        )


@dataclass(frozen=True)
class Record:
    experiment: str
    commands: list[list[str]]
    surroundings: Surroundings
    rows: list[Row]

    @classmethod
    def of(cls, name: str, commands: list[list[str]], study: Study, curves: bool) -> Record:
        return cls(name, commands, Surroundings.of(study), [Row.of(run, curves) for run in study])

    @classmethod
    def read(cls, path: Path) -> Record:
        """Raises ConfigError for anything else."""
        try:
            own = loads(read_bytes(path.parent, path.name, MOST))
            rows = [run | {"settings": own["shared"] | run["settings"]} for run in own["runs"]]
            if not rows:
                raise ValueError("it has no runs")
            head = {name: own[name] for name in ("experiment", "commands", "surroundings")}
            return read_as(cls, head | {"rows": rows})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            rule = f"{path} is not the results of an experiment, or is damaged: {said(error)}."
            raise ConfigError(rule) from None

    def write(self, path: Path, verdicts: Iterable[Verdict]) -> None:
        write_whole(path.parent, path.name, self.text(verdicts))

    def text(self, verdicts: Iterable[Verdict]) -> str:
        every = set.intersection(*({*row.settings} for row in self.rows))
        shared_by_all = every - {*differing(row.settings for row in self.rows)}
        shared = {n: v for n, v in self.rows[0].settings.items() if n in shared_by_all}
        head = {
            "experiment": self.experiment,
            "commands": self.commands,
            "surroundings": asdict(self.surroundings),
            "claims": {verdict.claim.name: verdict.record for verdict in verdicts},
            "shared": shared,
        }
        lines = [f" {json.dumps(name)}: {to_json(value)}" for name, value in head.items()]
        runs = [
            {
                "folder": row.folder,
                "settings": {n: v for n, v in row.settings.items() if n not in shared},
                "figures": row.figures,
                "curves": row.curves,
            }
            for row in self.rows
        ]
        listed = ",\n".join(f"  {to_json(run)}" for run in runs)
        return "{\n" + ",\n".join([*lines, f' "runs": [\n{listed}\n ]']) + "\n}\n"


def _same(values: Iterable[Any]) -> Any:
    different = {by_value(value): value for value in values}
    return next(iter(different.values())) if len(different) == 1 else [*different.values()]
