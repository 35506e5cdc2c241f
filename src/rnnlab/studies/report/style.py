"""How the figures to keep look on paper: their letters, lines, colours and marks.

Sizes are points of the print. In grey some of the colours are alike, so lines of other colours have
other marks as well; the first four are told apart by their lightness alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.figure import Figure

from rnnlab.runs.colours import COLOURS
from rnnlab.runs.figures import as_it_is

MARKS = {
    "o": 3.5,
    "s": 3.4,
    "D": 3.3,
    "^": 4.2,
    "v": 4.2,
    "X": 4.8,
    "P": 4.8,
    "*": 6.0,
}  # and sizes
EDGE = {"markeredgecolor": "white", "markeredgewidth": 0.3}
GREY = "#b0b0b0"  # of what is not named
LETTERS = 7
INCH = 72
MM = INCH / 25.4
STYLE = {
    **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize"), LETTERS),
    **dict.fromkeys(("figure.titlesize", "legend.fontsize", "legend.title_fontsize"), LETTERS),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), LETTERS),
    **dict.fromkeys(("axes.linewidth", "hatch.linewidth", "patch.linewidth"), 0.5),
    **dict.fromkeys(("xtick.major.width", "ytick.major.width"), 0.5),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 2.5),
    **dict.fromkeys(("legend.borderaxespad", "legend.borderpad"), 0.2),
    **dict.fromkeys(("figure.constrained_layout.h_pad", "figure.constrained_layout.w_pad"), 0.03),
    "figure.constrained_layout.use": True,
    "grid.linewidth": 0.4,
    "legend.columnspacing": 1.2,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "legend.handletextpad": 0.6,
    "legend.labelspacing": 0.3,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # TrueType, which publishers ask for
    "savefig.dpi": 300,
    "svg.fonttype": "path",
    "svg.hashsalt": "rnnlab",  # else its names are other ones each time
}
DATES = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}  # of its writing: none
P = ParamSpec("P")
T = TypeVar("T")


def printed(make: Callable[P, T]) -> Callable[P, T]:
    """The decorator of what makes figures to keep: in this style, whatever the user's own is."""
    drawn = as_it_is(make)

    @functools.wraps(make)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> T:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return drawn(*args, **kwargs)

    return in_style


def look(rank: int, has_mark: bool = True) -> dict[str, Any]:
    """Colour and mark of a line, the first, the second, ..."""
    mark, size = [*MARKS.items()][rank]
    marked = {"marker": mark, "markersize": size, **EDGE} if has_mark else {}
    return {"color": COLOURS[rank], **marked}


class Kept(Figure):
    """A figure whose file is the same whoever saves it, and when: fonts are in it, no date is."""

    @printed
    def savefig(self, fname: Any, **options: Any) -> None:
        """As matplotlib's."""
        kind = options.get("format") or Path(str(fname)).suffix[1:]
        metadata = {**DATES.get(kind.lower(), {}), **(options.pop("metadata", None) or {})}
        super().savefig(fname, metadata=metadata, **options)
