"""The report of a folder of runs: report.html (self-contained), report.md, results.csv.

Whatever comes from texts, configs and names is text in all of them (escaping.py, page.py).
"""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab._common.files import write_whole
from rnnlab.runs.folder import METRICS, RESULT
from rnnlab.studies.report.contents import contents
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.escaping import in_code_span, in_markdown
from rnnlab.studies.report.page import page
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.spreadsheet import to_csv
from rnnlab.studies.report.tables import Best, best, markdown_table, overview, tables

PAUSE = 5.0  # seconds between two looks at a folder that is watched


def write_report(home: Path, is_watched: bool = False) -> Path:
    """Write the files into `home`, and return the page's path; ConfigError without runs.

    A page that `is_watched` loads itself again now and then.
    """
    entries, skipped = read(home)
    require(bool(entries), f"a report of {home}", "it has no run's folder in it")
    ranking = Ranking(entries)
    found = best(ranking)
    write_whole(home, "results.csv", to_csv(entries))
    write_whole(home, "report.md", to_markdown(home, ranking, found, skipped))
    shown = contents(home, ranking, found, skipped, is_watched)
    write_whole(home, "report.html", page(home.name, shown))
    return home / "report.html"


def watch(home: Path) -> Generator[Path, None, None]:
    """The page's path each time that it was written anew, because something changed.

    Ends by Ctrl-C; then the page is written once more, and stays as it is.
    """
    seen, page = _state(home), write_report(home, is_watched=True)
    try:
        yield page
        while True:
            time.sleep(PAUSE)
            if (now := _state(home)) != seen:
                seen = now
                yield write_report(home, is_watched=True)
    finally:
        write_report(home)


def _state(home: Path) -> list[tuple[str, int, int]]:
    """Of all files that a report reads: when they were changed last, and how long they are."""
    found = []
    for name in (RESULT, METRICS):
        for path in home.rglob(name):
            try:
                stat = path.stat()
            except OSError:  # it is being replaced
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return sorted(found)


def to_markdown(home: Path, ranking: Ranking, found: Best, skipped: list[str]) -> str:
    parts = [f"# {in_markdown(home.name)}", overview(ranking)]
    parts += [f"{in_markdown(what)}: {in_code_span(words)}" for what, words in found]
    for table in tables(ranking):
        parts.append(f"## {table.title}")
        parts += [in_markdown(table.note)] if table.note else []
        parts.append(markdown_table(table.head, table.rows))
    parts += [f"Not read: {in_markdown(sentence)}" for sentence in skipped]
    return "\n\n".join(parts) + "\n"
