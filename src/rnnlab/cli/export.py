"""rnnlab export: a trained model for torch.nn, or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnlab._common.console import say
from rnnlab.cli.models import Best


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or demo: the model shipped here.")],
    to: Annotated[
        str,
        typer.Option(
            help="html: a page that writes in a browser. torch: a state_dict of torch.nn's RNN, "
            "LSTM or GRU, and a script that loads it."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="The file.", show_default="model.html or model.safetensors in RUN"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Of a page: fp32, fp64, or fp16, half as large, whose text may differ.",
            show_default="as trained",
        ),
    ] = None,
    best: Best = False,
) -> None:
    """Hand a trained model on: rnnlab export RUN --to html."""
    from rnnlab.runs.export.write import write_export

    for sentence in write_export(run, to, output, weights, best):
        say(sentence)
