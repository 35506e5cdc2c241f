"""The rnnlab command: everything but the training itself, which run.py and `rnnlab train` share."""

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rnnlab import __version__
from rnnlab._common.console import lost, on_screens, say
from rnnlab._common.errors import require
from rnnlab._common.files import entered
from rnnlab._common.program import resuming, shipped
from rnnlab.cli.answers import answering
from rnnlab.cli.completion import completed
from rnnlab.cli.export import export
from rnnlab.cli.inspect import inspect
from rnnlab.results.sampling import LONGEST, Sampling, as_option

ClickException = typer.BadParameter.__mro__[2]  # typer has its own click, or another one's
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
OTHERS = {"ignore_unknown_options": True}  # run.py's options, and the benchmark's
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", autocompletion=completed, show_default=False),
]


@app.callback(invoke_without_command=True)
def rnnlab(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """A laboratory for recurrent language models written from scratch."""
    if version:
        say(f"rnnlab {__version__}")
        raise typer.Exit


@app.command(context_settings=OTHERS, add_help_option=False)
def train(overrides: Overrides = None) -> None:
    """Train a model, or with -m a study of many: rnnlab train sampler=random lr=1."""
    from rnnlab.cli import train as entry

    sys.argv = ["rnnlab train", *(overrides or ())]
    entry.main()


@app.command(context_settings=OTHERS)
def resume(
    run: Annotated[Path, typer.Argument(help="The folder of a run or a study.")],
    overrides: Overrides = None,
) -> None:
    """Go on with a run or a study exactly: rnnlab resume RUN num_epochs=800."""
    from rnnlab.cli import train as entry

    sys.argv = ["rnnlab resume", f"resume={run}", *(overrides or ())]
    entry.main()


@app.command(context_settings=OTHERS)
def verify_resume(
    overrides: Overrides = None,
    kills: Annotated[int, typer.Option(min=1, max=1000, help="How often to kill it.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the moments.")] = 0,
) -> None:
    """Kill and continue a run at random moments; compare it bit for bit with one left alone.

    Overrides choose the run: rnnlab verify-resume model=gru size=tiny num_epochs=50.
    """
    from rnnlab.config.compose import compose
    from rnnlab.config.typed_words import typed
    from rnnlab.runs.preflight import Downloading, check
    from rnnlab.runs.start import pinned

    overrides = ["num_epochs=20", "size=small", "checkpoint.seconds=0.2", *(overrides or ())]
    with answering(overrides=lambda: overrides):
        config = pinned(compose(typed(overrides)))
        check(config, Downloading())
    from rnnlab.studies.verify import verify

    with tempfile.TemporaryDirectory(prefix="rnnlab-") as folder:
        verdict = verify([config], Path(folder), kills, seed)
    say(
        f"{verdict.kills} kills, {verdict.after_first_checkpoint} of them after the first "
        f"checkpoint; {verdict.inside_epochs} times it went on in the middle of an epoch"
    )
    _tell(verdict.differences, "every logged value and every weight is the same, bit for bit")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def reproduce(
    context: typer.Context, run: Annotated[Path, typer.Argument(help="A run's folder.")]
) -> None:
    """Train a run again, and say whether it comes out the same: rnnlab reproduce RUN device=cpu."""
    from rnnlab.config.own_cells import without_own_cells
    from rnnlab.runs.result import Result, Status

    words = without_own_cells(context.args)
    run = entered(str(run))
    before = Result.read(run)
    require(
        before.status.is_final,
        f"reproducing {run}, which is {before.status}",
        f"only a run that has ended can be compared; type {resuming(run)}",
    )
    from rnnlab.config.compose import values_of
    from rnnlab.config.identity import LENGTH
    from rnnlab.config.stored import changed
    from rnnlab.runs import compare as verification
    from rnnlab.runs import stack as experiment
    from rnnlab.runs.checkpoint import load_checkpoint
    from rnnlab.runs.folder import BEST, LAST
    from rnnlab.runs.preflight import Corpora, check
    from rnnlab.runs.resume import stored_config
    from rnnlab.runs.start import Start

    changes = values_of(words)
    for word, name in zip(words, changes, strict=True):
        is_other = name in (*LENGTH, "instruments") or name.startswith("log.")
        require(not is_other, word, f"reproducing {run} is to log the same epochs, and it says so")
    config, corpora = changed(stored_config(run, before), changes), Corpora()
    other = before.differences_to(config, check(config, corpora).sha256)
    require(not other, f"reproducing {run}", f"it would be another experiment ({'; '.join(other)})")
    Start.of(config)
    for name in filter(lambda name: (run / name).exists(), (LAST, BEST)):
        load_checkpoint(run, name)  # to be compared with, when all is trained
    with tempfile.TemporaryDirectory(prefix="rnnlab-") as folder:
        again = Path(folder) / "again"
        after = experiment.run(config, again, corpora)
        if after.status == Status.interrupted:
            raise KeyboardInterrupt
        found = list(verification.differences(run, again))
    if found:
        say(f"perplexity {before.perplexity}, and now {after.perplexity}")
        for line in verification.surroundings_of(before, after):
            say(f"surroundings: {line}")
    _tell(found, "perplexity, every logged value and every weight are the same, bit for bit")


@app.command()
def status(
    study: Annotated[Path, typer.Argument(help="A study's folder.")],
) -> None:
    """Say how a study stands: what is done, what trains and where, what waits, what is lost."""
    from rnnlab.studies.status import described, study_at

    for line in described(study_at(study)):
        say(line)


@app.command()
def stop(
    study: Annotated[Path, typer.Argument(help="A study's folder.")],
) -> None:
    """Ask whoever trains a study, on whatever machine, to save and end."""
    from rnnlab.studies.status import stop, study_at

    say(stop(study_at(study)))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A study's folder, or any folder of runs.")],
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Write it anew when something changes, until Ctrl-C."),
    ] = False,
) -> None:
    """Sum runs up: report.html, report.md and results.csv in the folder."""
    from rnnlab.studies.report import write

    if not watch:
        say(write.write_report(folder))
        return
    for page in write.watch(folder):
        say(f"{datetime.now():%H:%M:%S} {page}")


@app.command(context_settings=OTHERS, add_help_option=False)
def bench(options: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Measure the engines against their peers here: rnnlab bench --cells rnn --sizes 64,512."""
    sys.path.insert(0, str(shipped("benchmarks")))
    from engines import main as measure

    sys.argv = ["rnnlab bench", *(options or ())]
    measure()


@app.command()
def figure(
    folder: Annotated[Path, typer.Argument(help="A study's folder, or any folder of runs.")],
    kind: Annotated[str, typer.Argument(help="curves, effects or heatmap.")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="pdf, svg or png; else as the file's name ends, or pdf."),
    ] = None,
    width: Annotated[
        str, typer.Option(help="Of the whole figure, in mm, cm or in: a column has 84mm.")
    ] = "84mm",
    output: Annotated[
        Path | None, typer.Option(help="The file.", show_default="KIND.pdf in the folder")
    ] = None,
) -> None:
    """Draw runs for a paper: rnnlab figure STUDY curves --width 174mm --format svg."""
    from rnnlab.studies.report.figures import write_figure

    say(write_figure(folder, kind, width, form, output))


def _tell(differences: list[str], same: str) -> None:
    """The verdict; exit status 1 if anything differs."""
    if not differences:
        say(same)
        return
    for line in differences[:10]:
        say(f"differs: {line}")
    raise typer.Exit(1)


@app.command()
def generate(
    run: Annotated[Path, typer.Argument(help="A run's folder, or demo: the model shipped here.")],
    prefix: Annotated[
        str, typer.Option(help="What the text begins with; cleaned as the run's text was.")
    ],
    length: Annotated[int, typer.Option(min=1, max=LONGEST, help="Tokens to generate.")] = 200,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the likeliest token; 1 draws from the model.")
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Draw among the k likeliest tokens only.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Draw among the fewest likeliest tokens whose probabilities reach p together "
            "(nucleus sampling); of the k likeliest with --top-k.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    samples: Annotated[int, typer.Option(min=1, help="Texts to draw, all at once.")] = 1,
    cell: Annotated[
        str, typer.Option(help="The code of its cell, cell.py in its folder, if it may run here.")
    ] = "",
    best: Annotated[bool, typer.Option("--best", help="Use the best epoch, not the last.")] = False,
) -> None:
    """Continue a text with a trained model."""
    if cell:
        from rnnlab.config.own_cells import typed_cell

        typed_cell(cell)
    wish = Sampling(
        length=length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        samples=samples,
    )
    wish.check(as_option)
    from rnnlab.results.model import TrainedModel
    from rnnlab.runs.demo import trained

    for text in TrainedModel.read(trained(run), best).drawn(prefix, wish):
        say(text)
    if lost():
        raise typer.Exit(1)  # the text is all that is wanted


app.command()(export)
app.command()(inspect)


@on_screens()
def main() -> None:
    """The console script; a mistake is one sentence and exit status 2."""
    with answering():
        try:
            status = app(standalone_mode=False)
        except typer.Abort:
            raise KeyboardInterrupt from None
        except ClickException as error:  # of a command's own options
            error.show()
            status = error.exit_code
    sys.exit(status)
