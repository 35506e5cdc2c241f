"""The report of a folder of runs: report.html (self-contained), report.md, results.csv.

Whatever comes from texts, configs and names is escaped (escaping.py).
"""

from __future__ import annotations

import csv
import io
from importlib.util import find_spec
from pathlib import Path

from matplotlib.figure import Figure

from rnnlab._common.errors import require
from rnnlab._common.files import write_whole
from rnnlab.runs.figures import saved
from rnnlab.studies.report.escaping import in_code_span, in_csv, in_html, in_markdown
from rnnlab.studies.report.figures import curves_figure, effects_figure, heat_map
from rnnlab.studies.report.tables import (
    Entry,
    best_command,
    changed_names,
    markdown_table,
    overview,
    read,
    tables,
)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; color: #222 }
body { padding: 0 1rem } code { background: #f2f2f2; padding: 0.1rem 0.3rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
td, th { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto }
"""


def write_report(home: Path) -> Path:
    """Write the files into `home`, and return the page's path; ConfigError without runs."""
    entries, skipped = read(home)
    require(bool(entries), f"a report of {home}", "it has no run's folder in it")
    swept = changed_names(entries)
    table = to_csv(entries, swept)
    write_whole(home, "results.csv", table)
    if find_spec("pyarrow"):
        write_whole(home, "results.parquet", to_parquet(table))
    write_whole(home, "report.md", to_markdown(home, entries, swept, skipped))
    write_whole(home, "report.html", to_html(home, entries, swept, skipped))
    return home / "report.html"


def to_csv(entries: list[Entry], swept: list[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = ["folder", *swept, "status", "perplexity", "val_perplexity", "best_perplexity"]
    columns += ["epochs", "tokens_per_second", "wall_seconds", "config_id", "error"]
    writer.writerow(map(in_csv, columns))
    for entry in entries:
        own = entry.result
        cells = [entry.folder.name, *(entry.settings.get(name) for name in swept), own.status]
        cells += [own.perplexity, own.val_perplexity, own.best_perplexity, own.epochs]
        cells += [own.tokens_per_second, own.wall_seconds, own.config_id, own.error]
        writer.writerow(map(in_csv, cells))
    return file.getvalue()


def to_parquet(table: str) -> bytes:
    """The same table for data frames, where pyarrow is installed."""
    import pyarrow.csv  # pyrefly: ignore
    import pyarrow.parquet  # pyrefly: ignore

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(io.BytesIO(table.encode())), file)
    return file.getvalue()


def to_markdown(home: Path, entries: list[Entry], swept: list[str], skipped: list[str]) -> str:
    best = in_code_span(best_command(entries))
    parts = [f"# {in_markdown(home.name)}", overview(entries), f"Best: {best}"]
    parts += [
        f"## {title}\n\n{markdown_table(head, rows)}"
        for title, head, rows in tables(entries, swept)
    ]
    parts += [f"Not read: {in_markdown(sentence)}" for sentence in skipped]
    return "\n\n".join(parts) + "\n"


def to_html(home: Path, entries: list[Entry], swept: list[str], skipped: list[str]) -> str:
    """One file: pictures are inside it, and nothing is fetched from anywhere."""
    parts = [f"<h1>{in_html(home.name)}</h1>", f"<p>{in_html(overview(entries))}</p>"]
    parts.append(f"<p>Best: <code>{in_html(best_command(entries))}</code></p>")
    pictures = {
        "Perplexity while training": curves_figure(entries, swept),
        "What each setting does": effects_figure(entries, swept),
        "Learning rate and clipping": heat_map(entries, swept),
    }
    parts += [f"<h2>{title}</h2>{_svg(figure)}" for title, figure in pictures.items() if figure]
    for title, head, rows in tables(entries, swept):
        body = "".join(_row(row, "td") for row in rows)
        parts.append(f"<h2>{in_html(title)}</h2><table>{_row(head, 'th')}{body}</table>")
    parts += [f"<p>Not read: {in_html(sentence)}</p>" for sentence in skipped]
    head = f'<meta charset="utf-8"><title>{in_html(home.name)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _row(cells: list[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{in_html(cell)}</{tag}>" for cell in cells) + "</tr>"


def _svg(figure: Figure) -> str:
    return saved(figure, "svg").decode().partition("?>")[2].partition('dtd">')[2]
