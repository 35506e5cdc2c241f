"""What `rnnlab compare` promises, measured: false alarms, and how often its interval holds.

make bench-comparison trains two small studies, saves benchmarks/results/comparison.json, and
writes docs/comparison.md from it.
"""
# ruff: noqa: E501  (a page's prose)

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import rnnlab
from rnnlab.studies.comparison.paired import LEVEL, Paired

ROOT = Path(__file__).resolve().parents[1]
SAVED = ROOT / "benchmarks" / "results" / "comparison.json"
CELLS = "model=rnn,gru,lstm seed=0,1,2,3,4 size=tiny num_epochs=30 dataset.val_fraction=0.1"
EQUAL = "seed=range(200) num_hiddens=16 num_epochs=10 dataset.val_fraction=0.1 log.sample_every=0"
SEEDS = (3, 5, 10, 20)
PAIRS, INTERVALS = 20_000, 1_000
Generator = np.random.Generator
Draw = Callable[[Generator, tuple[int, int]], NDArray[np.float64]]


def diverging(generator: Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.where(generator.random(shape) < 0.2, 30.0, generator.normal(size=shape))


NOISES: dict[str, Draw] = {  # of a run, around what its setting and its seed have
    "normal": lambda generator, shape: generator.normal(size=shape),
    "Student's t, 3 degrees of freedom": lambda generator, shape: generator.standard_t(3, shape),
    "lognormal": lambda generator, shape: generator.lognormal(0, 1, shape),
    "one run in five diverges": diverging,
}

PAGE = """\
# Comparing settings

Written by `make bench-comparison` (`benchmarks/comparison.py`), which trains the runs and measures the rates below.

Runs of one seed share minibatches, and initial weights where their shapes agree, so what a seed does to two settings cancels in their
difference. A comparison is of differences, therefore, a seed each:

```
python run.py -m {cells} sweep=cells
rnnlab compare cells --by model
```

```
{table}
```

- **What is compared** is a loss in nats, ln of held-out perplexity where every run holds text out, else of training perplexity; `--figure` takes
  another one, as columns of results.csv are called: `held_out_perplexity`, `training_perplexity` or `best_perplexity` (`val_perplexity` and `perplexity`,
  as result.json has it, are the first two). A difference of 0.1 is a perplexity 10 % higher, wherever it stands.
- **The interval** is Student's t of the differences. Beside it is a bootstrap's (percentiles of 10,000 means, always the same ones), for many
  seeds whose differences are far from normal: for few it is too narrow, as measured below.
- **p** is of the paired t test, two-sided; after Holm it is adjusted for all rows of the table that have one, so that a table of equal settings has a false alarm
  with probability 5 %, however many rows.
- **Seeds needed** is with how many a difference of this size and spread would be found with a power of 0.8, at 5 % over the number of rows. It is as
  rough as the spread of few seeds is, and empty where all differences are 0.
- **What diverged** counts as worst and not as missing: as guessing among the V tokens, ln V nats. So does what ended worse than guessing. A column
  says how many such runs a row has. Where all runs of a side are such, its rows have no difference, interval or p, which would be one side's
  distance from a constant: they say that it diverged in 5 of 5.
- **What varies besides** makes a row for each combination: `--by model` of a study over lr as well has a row for each lr. `--at-best lr` compares each
  model at its own best lr; `--by model,lr` compares their combinations with one another. The best is chosen by the very seeds that are compared,
  which favours the setting with more values to choose from: for a claim, train other seeds at what was chosen.
- **A gap is refused.** A mean over the seeds that happen to be there would compare some seeds with others:

```
$ rm -r cells/7_*
$ rnnlab compare cells --by model
{refusal}
```

From Python, `rnnlab.load("cells").compare("model")` shows the same table; its `rows` have the differences, and `frame` is a row each. `--format`
is `text`, `markdown`, `csv` or `json`.

## False alarms

Two settings that are equal are told apart in so many of {pairs:,} comparisons; 5 % is the promise.

{alarms}

The last line is of real runs: {equal_runs} runs of one setting (`run.py -m {equal}`), drawn at random as two settings. An exact sign-flip
test would keep the promise too, but with five seeds its least p is 2/32: it could never find anything.

## The interval

How often an interval of 95 % has the true difference in it, of {intervals:,} comparisons:

{coverage}

Percentiles of resampled means do not leave the range of the differences, which has the true value in it with probability 1 - 2^(1-n) where they are
symmetric: 75 % of three, 94 % of five. BCa corrects for skewness, which differences of equal settings do not have, and is no wider. So the interval
that sentences quote is Student's. Where the differences themselves are skewed (the last lines), none of them keeps its promise with few seeds.
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        found = {**of_cells(Path(home)), **of_equal(Path(home))}
    found |= {"alarms": simulated_alarms() | {"real runs": found.pop("real")}}
    found["coverage"] = coverage()
    SAVED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = page(found)
    (ROOT / "docs" / "comparison.md").write_text(text, encoding="utf-8")
    print(text)


# --- of real runs ----------------------------------------------------------------------------


def of_cells(home: Path) -> dict[str, Any]:
    typed(home, "run.py", "-m", *CELLS.split(), "sweep=cells")
    table = typed(home, "-m", "rnnlab", "compare", "cells", "--by", "model")
    (gone,) = home.glob("cells/7_*")
    shutil.rmtree(gone)
    refusal = typed(home, "-m", "rnnlab", "compare", "cells", "--by", "model", status=2)
    return {"table": table, "refusal": refusal}


def of_equal(home: Path) -> dict[str, Any]:
    """False alarms of runs that differ in their seeds alone, drawn as two settings."""
    typed(home, "run.py", "-m", *EQUAL.split(), "sweep=equal")
    losses = np.log(np.array(rnnlab.load(home / "equal").frame["held_out_perplexity"]))
    generator = np.random.default_rng(0)
    rates = {}
    for n in SEEDS:
        drawn = [generator.permutation(losses)[: 2 * n] for _ in range(PAIRS)]
        rates[n] = alarms(np.array([own[:n] - own[n:] for own in drawn]))
    return {"real": rates, "equal_runs": len(losses)}


def typed(home: Path, program: str, *words: str, status: int = 0) -> str:
    """What a command says; one line of it where it refuses."""
    script = str(ROOT / program) if program.endswith(".py") else program
    command = [sys.executable, script, *words]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == status, (shlex.join(command), done.stderr)
    return (done.stdout or done.stderr).rstrip("\n")


# --- simulated -------------------------------------------------------------------------------


def simulated_alarms() -> dict[str, dict[int, float]]:
    generator = np.random.default_rng(1)
    return {
        name: {n: alarms(draw(generator, (PAIRS, n)) - draw(generator, (PAIRS, n))) for n in SEEDS}
        for name, draw in NOISES.items()
    }


def alarms(differences: NDArray[np.float64]) -> float:
    """(R, n) -> the share of the R comparisons that find a difference."""
    return float(np.mean([Paired(tuple(own)).p <= LEVEL for own in differences.tolist()]))


def coverage() -> dict[str, dict[str, list[float]]]:
    """By the distribution of the differences and n: Student's t, percentiles, BCa."""
    generator = np.random.default_rng(2)
    skewed = {"(the differences) exponential": lambda shape: generator.exponential(size=shape) - 1}
    drawn = {
        name: lambda shape, draw=draw: draw(generator, shape) - draw(generator, shape)
        for name, draw in NOISES.items()
        if "diverges" not in name
    }
    return {
        name: {str(n): held(draw((INTERVALS, n)), generator) for n in SEEDS}
        for name, draw in (drawn | skewed).items()
    }


def held(differences: NDArray[np.float64], generator: Generator) -> list[float]:
    """(R, n) of mean zero -> the share of each kind of interval that has zero in it."""
    counts = np.zeros(3)
    for own in differences:
        paired = Paired(tuple(own.tolist()))
        for k, (low, high) in enumerate((paired.interval, paired.bootstrap, bca(own, generator))):
            counts[k] += low <= 0 <= high
    return (counts / len(differences)).tolist()


def bca(own: NDArray[np.float64], generator: Generator) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap((own,), np.mean, n_resamples=2000, rng=generator)
    return found.confidence_interval


# --- the page --------------------------------------------------------------------------------


def page(found: dict[str, Any]) -> str:
    alarm_rows = [
        [name, *(f"{100 * rate:.1f} %" for rate in rates.values())]
        for name, rates in found["alarms"].items()
    ]
    covered = [
        [name, n, *(f"{100 * share:.1f} %" for share in shares)]
        for name, own in found["coverage"].items()
        for n, shares in own.items()
    ]
    return PAGE.format(
        cells=CELLS,
        equal=shlex.join(EQUAL.split()),
        table=found["table"],
        refusal=found["refusal"],
        equal_runs=found["equal_runs"],
        pairs=PAIRS,
        intervals=INTERVALS,
        alarms=table(["a run's noise", *(f"{n} seeds" for n in SEEDS)], alarm_rows),
        coverage=table(["a run's noise", "seeds", "Student's t", "percentiles", "BCa"], covered),
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main()
