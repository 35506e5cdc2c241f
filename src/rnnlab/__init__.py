"""rnnlab: a laboratory for recurrent language models written from scratch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__version__ = "0.1.0"


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
