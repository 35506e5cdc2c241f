"""The report of a folder of runs: report.html (self-contained), report.md, results.csv.

Whatever comes from texts, configs and names is escaped (escaping.py).
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from rnnlab._common.errors import require
from rnnlab._common.files import write_whole
from rnnlab.runs.figures import saved
from rnnlab.studies.report.curves import curves_figure
from rnnlab.studies.report.effects import effects_figure
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.escaping import in_code_span, in_html, in_markdown
from rnnlab.studies.report.heatmap import heat_map
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.spreadsheet import to_csv
from rnnlab.studies.report.tables import best, markdown_table, overview, tables

Commands = list[tuple[str, str]]  # what is best, and how to train it
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; color: #222 }
body { padding: 0 1rem } code { background: #f2f2f2; padding: 0.1rem 0.3rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; display: block; overflow-x: auto }
td, th { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto }
"""


def write_report(home: Path) -> Path:
    """Write the files into `home`, and return the page's path; ConfigError without runs."""
    entries, skipped = read(home)
    require(bool(entries), f"a report of {home}", "it has no run's folder in it")
    ranking = Ranking(entries)
    commands = best(ranking)
    write_whole(home, "results.csv", to_csv(entries))
    write_whole(home, "report.md", to_markdown(home, ranking, commands, skipped))
    write_whole(home, "report.html", to_html(home, ranking, commands, skipped))
    return home / "report.html"


def to_markdown(home: Path, ranking: Ranking, commands: Commands, skipped: list[str]) -> str:
    parts = [f"# {in_markdown(home.name)}", overview(ranking)]
    parts += [f"{in_markdown(what)}: {in_code_span(words)}" for what, words in commands]
    for table in tables(ranking):
        parts.append(f"## {table.title}")
        parts += [in_markdown(table.note)] if table.note else []
        parts.append(markdown_table(table.head, table.rows))
    parts += [f"Not read: {in_markdown(sentence)}" for sentence in skipped]
    return "\n\n".join(parts) + "\n"


def to_html(home: Path, ranking: Ranking, commands: Commands, skipped: list[str]) -> str:
    """One file: pictures are inside it, and nothing is fetched from anywhere."""
    parts = [f"<h1>{in_html(home.name)}</h1>", _p(overview(ranking))]
    for what, words in commands:
        parts.append(f"<p>{in_html(what)}<br><code>{in_html(words)}</code></p>")
    pictures = {
        "Perplexity while training": curves_figure(ranking),
        "What each setting does": effects_figure(ranking),
        "Two settings together": heat_map(ranking),
    }
    parts += [f"<h2>{title}</h2>{_svg(figure)}" for title, figure in pictures.items() if figure]
    for table in tables(ranking):
        body = "".join(_row(row, "td") for row in table.rows)
        note = _p(table.note) if table.note else ""
        parts.append(f"<h2>{table.title}</h2>{note}<table>{_row(table.head, 'th')}{body}</table>")
    parts += [_p(f"Not read: {sentence}") for sentence in skipped]
    head = f'<meta charset="utf-8"><title>{in_html(home.name)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _p(text: str) -> str:
    return f"<p>{in_html(text)}</p>"


def _row(cells: list[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{in_html(cell)}</{tag}>" for cell in cells) + "</tr>"


def _svg(figure: Figure) -> str:
    return saved(figure, "svg").decode().partition("?>")[2].partition('dtd">')[2]
