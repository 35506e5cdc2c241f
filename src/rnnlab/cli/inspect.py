"""rnnlab inspect: what a run's instruments see, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnlab._common.console import say


def inspect(
    run: Annotated[Path, typer.Argument(help="A run's folder, or demo: the model shipped here.")],
    text: Annotated[
        str | None,
        typer.Option(help="What it reads instead of its own text; cleaned as that was."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A folder.", show_default="inspect in RUN")
    ] = None,
    cell: Annotated[
        str, typer.Option(help="The code of its cell, cell.py in its folder, if it may run here.")
    ] = "",
    best: Annotated[bool, typer.Option("--best", help="Use the best epoch, not the last.")] = False,
) -> None:
    """Draw what shows why a model learns, or does not: gates, gradients, surprise and others."""
    if cell:
        from rnnlab.config.own_cells import typed_cell

        typed_cell(cell)
    from rnnlab.runs.inspection.inspect import write_pictures

    for file in write_pictures(run, text, output, best):
        say(file)
