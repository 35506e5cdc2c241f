"""What is shown never decides about what is done, and hostile text stays text."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT
from rnnlab._common.console import Screen, one_line, plain
from rnnlab._common.plain_console import PlainConsole
from rnnlab.runs import stack as experiment
from rnnlab.runs.trackers import Tracked, UnderWay
from rnnlab.runs.trackers.files import Files
from rnnlab.runs.trackers.terminal import Terminal, fitting
from rnnlab.training.metrics import Epoch

pytestmark = pytest.mark.attack(
    11, "a stdout that is full, closed or gone, other encodings, controls"
)

TINY = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=2", "dataset.max_tokens=150"]
RUN, RNNLAB = [str(ROOT / "run.py")], ["-m", "rnnlab"]
LOST = "not all of the output could be written"


def shell(program: list[str], *arguments: str, then: str = "", **environment: str):
    """The command by a shell, `then` behind it: its exit status, stdout and stderr."""
    command = f'"$@" {then}; exit $?'
    done = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, *program, *arguments],
        capture_output=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def status_of(folder: str) -> str:
    return json.loads(Path(folder, "result.json").read_text())["status"]


@pytest.fixture
def greek() -> list[str]:
    """A text whose samples have letters that ASCII and Latin-1 lack."""
    Path("greek.txt").write_text("μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος\n" * 20, encoding="utf-8")
    return [*TINY, "dataset=text", "dataset.path=greek.txt", "dataset.clean=none"]


# --- a terminal that cannot be written to ----------------------------------------------------


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("> /dev/full", LOST),
        (">&-", LOST),
        ("> /dev/full 2> /dev/full", ""),
        ("<&- >&- 2>&-", ""),
        ("| head -1; exit ${PIPESTATUS[0]}", ""),
    ],
)
def test_a_run_completes_wherever_its_output_goes(then, said):
    """Not 1, and not the 120 of a Python that could not flush at its end."""
    status, _, err = shell(RUN, *TINY, "hydra.run.dir=run", then=then)
    assert (status, status_of("run")) == (0, "completed")
    assert err.count("\n") == bool(said)
    assert said in err
    assert len(Path("run/metrics.jsonl").read_text().splitlines()) == 2  # none of it from a print


def test_matplotlib_that_cannot_be_imported_costs_the_curve_only():
    """MPLBACKEND names a window of one's own, perhaps one that is no more: none is opened here."""
    status, out, err = shell(RUN, *TINY, "hydra.run.dir=run", MPLBACKEND="Qt4Agg")
    assert (status, err, status_of("run")) == (0, "", "completed")
    assert b"warning: the curve could not be drawn: ValueError: " in out


def test_the_status_is_of_how_the_run_went():
    assert shell(RUN, *TINY, "clip=none", "lr=1e38", then="> /dev/full")[0] == 1
    status, _, err = shell(RUN, "lrr=1", then=">&-")
    assert (status, err) == (2, "lrr is not a name in the config: did you mean lr?\n")


@pytest.mark.parametrize("then", ["> /dev/full", ">&- 2>&-"])
def test_a_study_trains_on_and_has_its_report(then):
    assert shell(RUN, "-m", *TINY, "lr=0.5,1", "sweep=study", then=then)[0] == 0
    assert Path("study/report.html").exists()
    assert len(list(Path("study").glob("*/result.json"))) == 2


def test_a_terminal_that_goes_away_does_not_end_a_training():
    """Writes to it raise EIO from then on, of stdout and of stderr; also from the bar's thread."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *RUN, *TINY, "num_epochs=300", "log.sample_every=50", "hydra.run.dir=run"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    assert os.read(ours, 10)
    os.close(ours)
    assert process.wait(timeout=120) == 0
    assert status_of("run") == "completed"


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C"}],
    ids=str,
)
def test_letters_that_an_encoding_lacks_are_escaped(greek, environment):
    status, out, err = shell(RUN, *greek, "hydra.run.dir=run", **environment)
    assert (status, err, status_of("run")) == (0, "", "completed")
    generate = ["generate", "run", "--prefix", "θεὰ", "--length", "5"]
    status, out, err = shell(RNNLAB, *generate, **environment)
    assert (status, err) == (0, "")
    lacking = "PYTHONIOENCODING" in environment
    assert out.startswith(b"\\u03b8\\u03b5\\u1f70" if lacking else "θεὰ".encode())


def test_a_text_that_is_asked_for_and_cannot_be_written_is_a_failure(compose):
    """Of a reader that has seen enough it is none."""
    experiment.run(compose(*TINY), Path("run"))
    generate = ["generate", "run", "--prefix", "the", "--temperature", "1", "--samples", "2000"]
    for then in ("> /dev/full", ">&-"):
        status, _, err = shell(RNNLAB, *generate, then=then)
        assert status == 1
        assert err.startswith(LOST)
        assert err.count("\n") == 1
    status, out, err = shell(RNNLAB, *generate, then="| head -1; exit ${PIPESTATUS[0]}")
    assert (status, err, out.count(b"\n")) == (0, "", 1)
    assert shell(RUN, "--help", then="> /dev/full")[0] == 1


def test_a_run_without_a_command_does_not_depend_on_its_terminal_either(
    compose, monkeypatch, tmp_path
):
    """In a notebook, or one's own program."""
    with (tmp_path / "closed").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
    assert experiment.run(compose(*TINY), Path("run")).status == "completed"


def test_a_screen_is_silent_after_its_first_failure():
    class Broken(io.StringIO):
        asked = 0

        def write(self, text: str) -> int:  # noqa: ARG002
            self.asked += 1
            raise OSError(5, "Input/output error")

    stream = Broken()
    screen = Screen(stream)
    for _ in range(3):
        assert screen.write("a text") == 6
        screen.flush()
    assert stream.asked == 1
    assert not screen.isatty()
    assert "Input/output" in str(screen.failure)


# --- what is no text -------------------------------------------------------------------------

HOSTILE = "\x1b]0;title\x07\x1b[2J\r\x00\x9b\u2028\u202e\u2066\u200b\ufeff\U000e0041\ud800"


def test_what_a_terminal_would_obey_is_shown_as_an_escape():
    assert plain("\x1b[31m") == r"\x1b[31m"
    assert plain("\u2028\u202e\u2069\u200b\ud800\r") == r"\u2028\u202e\u2069\u200b\ud800\r"
    assert plain("θ é 世界 😀\ta\nb\u3000c") == "θ é 世界 😀\ta\nb\u3000c"
    assert one_line("a\nb\tc") == "a\\nb\tc"
    assert plain(HOSTILE).isprintable()


def test_a_console_knows_neither_markup_nor_emoji_nor_escapes(capsys):
    from rich.table import Table

    table = Table(title=f":a:{HOSTILE}")
    table.add_column(f"[b]:a:{HOSTILE}")
    table.add_row(f"[red]:a:{HOSTILE}")
    console = PlainConsole()
    console.print(table)
    console.print(f"[link=x]:a:{HOSTILE}")
    out = capsys.readouterr().out
    assert out.count(":a:") == 4
    assert "[link=x]" in out
    assert out.replace("\n", "").isprintable()


def test_nothing_hostile_reaches_the_terminal():
    """From the samples, the vocabulary, a folder's name, an override and a mistake."""
    Path("evil.txt").write_text(("ab \x1b[2J\u202e\u2028c:a:\n") * 60, encoding="utf-8")
    given = [*TINY, "dataset=text", "dataset.path=evil.txt", "dataset.clean=none"]
    folder = "run\x1b[2J\u202e"
    outs = [
        shell(RUN, *given, f"hydra.run.dir='{folder}'", "log.sample_every=1"),
        shell(RNNLAB, "generate", folder, "--prefix", "a", "--temperature", "9"),
        shell(RNNLAB, "generate", folder, "--prefix", "\x1b!", "--length", "60"),
        shell(RUN, "-m", *given, f"sweep={folder}study", "dataset.prefixes=['\x1b'],[a]"),
        shell(RNNLAB, "report", f"{folder}study"),
        shell(RUN, f"lr='{HOSTILE[:4]}\u202e'"),
        shell(RUN, f"resume={folder}"),
    ]
    assert [status for status, _, _ in outs] == [0, 0, 2, 0, 0, 2, 0]
    for _, out, err in outs:
        shown = out.decode() + err
        assert shown
        assert shown == plain(shown)
    assert r"run\x1b[2J\u202e" in outs[0][1].decode()  # the folder
    assert r"\x1b" in outs[1][1].decode()  # drawn from the vocabulary


def test_a_sample_is_one_line_of_samples_txt(tmp_path):
    tracker = Files(tmp_path)
    tracker.sample(1, "a", "a\u2028b\x1b[2J\x85c\rd\ne", last=False)
    tracker.sample(2, "θ", "θ\ttext", last=True)
    tracker.files["samples.txt"].close()
    lines = (tmp_path / "samples.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [r"epoch 1: a\u2028b\x1b[2J\x85c\rd\ne", "epoch 2: θ\ttext"]


# --- the bar, and the lines where there is none ----------------------------------------------


@pytest.fixture
def terminal(compose, monkeypatch):
    """A Terminal of so many columns, 0: a pipe; and what it has shown so far."""

    def make(columns: int, **environment: str) -> tuple[Terminal, Callable[[], str]]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        out = io.StringIO()
        monkeypatch.setattr(out, "isatty", lambda: columns > 0)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        config = compose("num_epochs=500")
        run = Tracked(folder=Path("run"), config=config, swept=[], dataset_sha256="",
                      description="its description", begun=None, is_alone=True)  # fmt: skip
        return Terminal(run), out.getvalue

    return make


def figures_of(epoch: int, updates: int = 30) -> Epoch:
    own = {"perplexity": 12.345, "tokens_per_second": 41_234.0, "updates": updates}
    return Epoch(epoch, own)


def within(epoch: int, updates: int) -> UnderWay:
    return UnderWay(figures=figures_of(epoch, updates), num_minibatches=4000, step=9)


@pytest.mark.parametrize(
    ("columns", "there", "missing"),
    [
        (40, ["epoch 400/500"], ["perplexity"]),
        (60, ["epoch 400/500", "perplexity 12.3"], ["minibatch"]),
        (80, ["epoch 400/500", "perplexity 12.3  held out 15.67 (epoch 400)"], ["tokens/s"]),
        (
            200,
            ["perplexity 12.3  held out 15.67 (epoch 400)  minibatch 1000/4000  41,234 tokens/s"],
            [],
        ),
    ],
)
def test_the_bar_and_the_time_left_are_there_at_every_width(terminal, columns, there, missing):
    """A row that is too long for it took the bar and the time left away, and left the rest."""
    tracker, out = terminal(columns, TERM="xterm", NO_COLOR="1")
    tracker.epoch(figures_of(400), 15.67)
    tracker.minibatch(within(401, 1000), logged=False)
    tracker.progress.stop()
    row = re.split(r"\x1b\[2K|[\r\n]", out())
    (last,) = [line for line in row if "epoch 400" in line][-1:]
    assert len(last) == columns
    assert all(words in last for words in there)
    assert not any(words in last for words in missing)
    assert re.search(r"━{5,}", last)
    assert re.search(r"\d:\d\d:\d\d$|-:--:--$", last)


@pytest.mark.parametrize(("columns", "kind"), [(0, "xterm"), (80, "dumb")])
def test_a_long_epoch_is_told_of_where_there_is_no_bar(terminal, monkeypatch, columns, kind):
    """After ten seconds, then after twice as long each time; TERM=dumb shows no bar either."""
    tracker, out = terminal(columns, TERM=kind)
    now = time.monotonic()
    for second in range(1, 46):
        monkeypatch.setattr(time, "monotonic", lambda second=second: now + second - 0.5)
        tracker.minibatch(within(1, 10 * second), logged=False)
    tracker.epoch(figures_of(25), 15.67)
    monkeypatch.undo()
    assert out().splitlines() == [
        "its description",
        "epoch 0/500, minibatch 110/4000  perplexity 12.35  41,234 tokens/s",
        "epoch 0/500, minibatch 320/4000  perplexity 12.35  41,234 tokens/s",
        "epoch 25/500  perplexity 12.35, held out 15.67 (epoch 25)  41,234 tokens/s",
    ]


def test_what_has_room_is_shown_from_the_left():
    assert fitting(["abc", "de", "f"], 8) == "abc  de"
    assert fitting(["abc", "de", "f"], 10) == "abc  de  f"
    assert fitting(["abc", "d"], 2) == ""
