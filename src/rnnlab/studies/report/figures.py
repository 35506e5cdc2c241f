"""The figures of a folder of runs that are kept, for papers: rnnlab figure STUDY curves.

In a file of exactly the width that is asked for, whose letters and lines have the same size
whatever that is; the same study makes the same bytes.
"""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from rnnlab._common.console import one_line
from rnnlab._common.errors import require
from rnnlab._common.files import write_whole
from rnnlab.studies.report.curves import curves_figure
from rnnlab.studies.report.effects import effects_figure
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.heatmap import heat_map
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.style import INCH, MM, Kept

KINDS: dict[str, Callable[[Ranking, float], Kept]] = {
    "curves": curves_figure,
    "effects": effects_figure,
    "heatmap": heat_map,
}
FORMATS = ("pdf", "svg", "png")
COLUMN = "84mm"  # of a page of two columns
UNITS = {"mm": MM, "cm": 10 * MM, "in": INCH}
NARROWEST, WIDEST = 40, 600  # mm
log = logging.getLogger(__name__)


def figure(folder: str | os.PathLike[str], kind: str = "curves", width: str = COLUMN) -> Kept:
    """The figure of a study, or of any folder of runs; raises ConfigError where there is none."""
    home = Path(folder)
    require(kind in KINDS, f"a figure {kind}", f"there are {', '.join(KINDS)}")
    size = points(width)
    entries, skipped = read(home)
    require(bool(entries), f"a figure of {home}", "it has no run's folder in it")
    for sentence in skipped:
        log.warning("not read: %s", one_line(sentence))
    return KINDS[kind](Ranking(entries), size)


def points(width: str) -> float:
    """Of 84mm, 8.4cm or 3.3in."""
    found = re.fullmatch(rf"([0-9]+\.?[0-9]*|\.[0-9]+) ?({'|'.join(UNITS)})", width.strip())
    require(found is not None, f"a width of {width}", f"type its unit too, as {COLUMN} or 3.3in")
    size = float(found[1]) * UNITS[found[2]] if found else 0.0
    require(
        NARROWEST * MM <= size <= WIDEST * MM,
        f"a width of {width}",
        f"it is between {NARROWEST}mm and {WIDEST}mm",
    )
    return size


def write_figure(
    home: Path, kind: str, width: str = COLUMN, form: str | None = None, file: Path | None = None
) -> Path:
    """Write it as pdf, svg or png, by default into the folder, and return its path."""
    form = form or (file.suffix[1:].lower() if file else FORMATS[0])
    require(form in FORMATS, f"a figure as {form or file}", f"it is one of {', '.join(FORMATS)}")
    if file:
        require(file.parent.is_dir(), f"a figure at {file}", f"there is no folder {file.parent}")
    file = file or home / f"{kind}.{form}"
    write_whole(file.parent, file.name, as_file(figure(home, kind, width), form))
    return file


def as_file(figure: Kept, form: str) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=form)
    return content.getvalue()
