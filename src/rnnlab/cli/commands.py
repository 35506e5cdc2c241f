"""The rnnlab command: everything but the training itself, which run.py and `rnnlab train` share."""

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rnnlab import __version__
from rnnlab._common.console import lost, on_screens, say
from rnnlab._common.program import shipped
from rnnlab.cli.answers import answering
from rnnlab.cli.compare import compare
from rnnlab.cli.completion import completed
from rnnlab.cli.export import export
from rnnlab.cli.inspect import inspect
from rnnlab.cli.models import Best, Cell, let_run
from rnnlab.cli.reproduce import reproduce, tell
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
    tell(verdict.differences, "every logged value and every weight is the same, bit for bit")


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
def bench(
    options: Annotated[
        list[str] | None,
        typer.Argument(help="Those of benchmarks/engines.py: --cells, --sizes, --lanes, --rounds."),
    ] = None,
) -> None:
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
    cell: Cell = "",
    best: Best = False,
) -> None:
    """Continue a text with a trained model."""
    let_run(cell)
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


app.command()(compare)
app.command()(export)
app.command()(inspect)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(reproduce)


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
