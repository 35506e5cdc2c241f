"""rnnlab compare: which of some settings is better, and whether that is chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnlab._common.console import complain, say
from rnnlab._common.errors import require


def compare(
    study: Annotated[Path, typer.Argument(help="A study's folder, or any folder of runs.")],
    by: Annotated[str, typer.Option(help="The settings to compare: model, or model,lr together.")],
    figure: Annotated[
        str | None,
        typer.Option(
            help="held_out_perplexity, training_perplexity or best_perplexity; else held-out "
            "perplexity where text is held out, or of training."
        ),
    ] = None,
    at_best: Annotated[
        str, typer.Option(help="Of these settings each compared value has its best one.")
    ] = "",
    form: Annotated[str, typer.Option("--format", help="text, markdown, csv or json.")] = "text",
) -> None:
    """Compare settings over the seeds that they share: rnnlab compare STUDY --by model."""
    from rnnlab.studies.comparison.compare import compare
    from rnnlab.studies.comparison.table import FORMS
    from rnnlab.studies.report.entries import read
    from rnnlab.studies.status import study_at

    require(form in FORMS, f"--format {form}", f"it is one of {', '.join(FORMS)}")
    home = study_at(study)
    entries, skipped = read(home)
    require(bool(entries), f"comparing the runs of {home}", "it has no run's folder in it")
    for sentence in skipped:
        complain(f"not read: {sentence}")
    say(FORMS[form](compare(entries, by, figure, at_best)))
