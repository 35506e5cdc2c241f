"""rnnlab: a laboratory for recurrent language models written from scratch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.figure import Figure

    from rnnlab.results.run import Run
    from rnnlab.results.study import Study

__version__ = "0.1.0"


def load(folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Study:
    """The runs of a study, of any folder of runs, or of a list of such, to look at and to use.

    `study.frame` has a row a run, `study.curves` a row a logged epoch, `study.best()` is the run
    that the report has as best, and `study[0].model()` a model that scores texts and writes some.
    Only files are read, so the runs may be training. What cannot be read is warned of and listed in
    `study.skipped`. Raises rnnlab._common.errors.ConfigError, a ValueError, where there are none.
    """
    from rnnlab.results.load import load

    return load(folders)


def train(*words: str, cell: Callable[..., Any] | None = None, **values: Any) -> Run:
    """Train a model as `rnnlab train` does: rnnlab.train("sampler=random", lr=1, num_epochs=50).

    `words` are those of the command line, `values` settings by their names. `cell` is a step
    function as in a file of one's own (model=./mycell.py), which may use torch. The same checks,
    folders and files; an interrupt saves, and raises KeyboardInterrupt. Raises
    rnnlab._common.errors.ConfigError, a ValueError, for a mistake: its message is one sentence.
    """
    from rnnlab.results.train import train

    return train(words, cell, values)


def study(*words: str, cell: Callable[..., Any] | None = None, **values: Any) -> Study:
    """Train a study of many: rnnlab.study(lr=[0.3, 1, 3], seed=range(3)), as `rnnlab train -m`.

    Each list, tuple or range is crossed with the others; a single value is that of all jobs. What
    else there is to say is as of `train`.
    """
    from rnnlab.results.train import study

    return study(words, cell, values)


def figure(folder: str | os.PathLike[str], kind: str = "curves", width: str = "84mm") -> Figure:
    """A figure of a study, or of any folder of runs, ready for a paper.

    `kind` is "curves" (perplexity over epochs: the mean of the seeds, and a band from the lowest to
    the highest), "effects" (where every run ended, over each setting) or "heatmap" (two settings
    together); `width` that of the whole figure, in mm, cm or in. `figure(...).savefig("a.pdf")`
    writes what `rnnlab figure` writes. Raises rnnlab._common.errors.ConfigError, a ValueError, for
    what cannot be drawn: its message is one sentence that says why.
    """
    from rnnlab.studies.report.figures import figure

    return figure(folder, kind, width)
