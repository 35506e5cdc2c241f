"""rnnlab inspect: what a run's instruments see, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnlab._common.console import say
from rnnlab.cli.models import Best, Cell, let_run


def inspect(
    run: Annotated[Path, typer.Argument(help="A run's folder, or demo: the model shipped here.")],
    text: Annotated[
        str | None,
        typer.Option(help="What it reads instead of its own text; cleaned as that was."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="A folder.", show_default="inspect in RUN")
    ] = None,
    cell: Cell = "",
    best: Best = False,
) -> None:
    """Draw what shows why a model learns, or does not: gates, gradients, surprise and others."""
    let_run(cell)
    from rnnlab.runs.inspection.inspect import write_pictures

    for file in write_pictures(run, text, output, best):
        say(file)
