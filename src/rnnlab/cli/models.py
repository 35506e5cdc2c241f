"""Which model of a run a command takes: options that several have."""

from __future__ import annotations

from typing import Annotated

import typer

Cell = Annotated[
    str, typer.Option(help="The code of its cell, cell.py in its folder, if it may run here.")
]
Best = Annotated[bool, typer.Option("--best", help="Use the best epoch, not the last.")]


def let_run(cell: str) -> None:
    """A cell's code, where a person has typed its place."""
    if cell:
        from rnnlab.config.own_cells import typed_cell

        typed_cell(cell)
