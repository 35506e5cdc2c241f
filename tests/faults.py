"""Break runs in every way we know, and write docs/reliability.md of what became of them.

make faults, or tests/faults.py studies for one of its parts. Needs half an hour and, for the full
disk, the right to mount a tmpfs.
"""

# ruff: noqa: E501  (a page's tables)

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import crashes
import forged_folders
from attacks import attack_table
from rnnlab._common import interrupts
from rnnlab._common.files import locked
from rnnlab.config.compose import compose
from rnnlab.runs import stack
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import LAST, RESULT
from rnnlab.runs.result import Result, Status
from rnnlab.studies.verify import verify

ROOT = Path(__file__).resolve().parents[1]
KILLS = 9  # of each of the twelve cases below
STUDY_KILLS = 10
SMALL = ["num_hiddens=16", "batch_size=8", "num_steps=16", "checkpoint.seconds=0.05"]
SMALL += ["dataset.max_tokens=3000"]
LONG = [*SMALL, "num_epochs=1000000", "log.sample_every=0", "hydra.run.dir=run"]


# --- kills -----------------------------------------------------------------------------------


def kill_table() -> Iterator[str]:
    yield "| cell | sampler | lanes | SIGKILLs | after the first checkpoint | inside an epoch | not exact |"
    yield "|---|---|---|---|---|---|---|"
    for cell in ("rnn", "lstm", "gru"):
        for sampler in ("sequential", "random"):
            for lanes in (1, 3):
                more = [f"model={cell}", f"sampler={sampler}", "optimizer=adam", "lr=0.01"]
                configs = [
                    compose([*SMALL, *more, "num_epochs=40", f"seed={k}", f"theta={k + 1}"])
                    for k in range(lanes)
                ]
                with tempfile.TemporaryDirectory() as folder:
                    verdict = verify(configs, Path(folder), KILLS)
                assert not (verdict.differences or verdict.inexact), verdict
                yield (
                    f"| {cell} | {sampler} | {lanes} | {verdict.kills} | "
                    f"{verdict.after_first_checkpoint} | {verdict.inside_epochs} | {verdict.inexact} |"
                )


def study_table() -> Iterator[str]:
    """A study of twelve jobs, killed again and again; every second time its workers with it."""
    study = ["-m", *SMALL, "lr=0.3,1,3", "seed=0,1", "model=rnn,gru", "num_epochs=150"]
    yield "| killed | SIGKILLs | before a job had ended | jobs that had ended | differing bits | trained twice |"
    yield "|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        whole, rng = Path(folder, "whole"), random.Random(0)
        began = time.monotonic()
        assert ended(start(*study, f"sweep={whole}"))[0] == 0
        duration = time.monotonic() - began
        for with_workers in (False, True):
            kills = early = twice = differing = 0
            had_ended = set[Path]()
            for copy in itertools.count():
                if kills == STUDY_KILLS:
                    break
                sweep, done = Path(folder, f"{with_workers}-{copy}"), dict[Path, int]()
                while kills < STUDY_KILLS:
                    process = start(*study, f"sweep={sweep}")
                    try:
                        process.communicate(timeout=rng.uniform(1, duration / 2))
                        break
                    except subprocess.TimeoutExpired:
                        process.kill()
                    process.communicate()
                    kills += 1
                    if with_workers:
                        kill_workers(sweep)
                    early += not completed(sweep)
                    twice += sum(completed(sweep).get(path) != when for path, when in done.items())
                    done = completed(sweep)
                    had_ended |= set(done)
                assert ended(start(*study, f"sweep={sweep}"))[0] == 0
                twice += sum(completed(sweep).get(path) != when for path, when in done.items())
                names = sorted(path.name for path in whole.glob("*_*/"))
                assert names == sorted(path.name for path in sweep.glob("*_*/"))
                differing += sum(bool([*differences(whole / n, sweep / n)]) for n in names)
            who = "the study and its workers" if with_workers else "the study"
            yield f"| {who} | {kills} | {early} | {len(had_ended)} | {differing} | {twice} |"
            assert not (differing or twice)


def completed(sweep: Path) -> dict[Path, int]:
    """The last change to the log of every job that has ended."""
    found = ((path.parent, Result.find(path.parent)) for path in sweep.glob("*/result.json"))
    return {
        folder: (folder / "metrics.jsonl").stat().st_mtime_ns
        for folder, result in found
        if result and result.status == Status.completed
    }


def kill_workers(sweep: Path) -> None:
    for path in sweep.glob("*/result.json"):
        result = Result.read(path.parent)
        if result.status == Status.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(result.process, signal.SIGKILL)


# --- other faults ----------------------------------------------------------------------------


def start(*overrides: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), *overrides]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=Path.cwd()
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=300)
    return process.returncode, " ".join(out.strip().splitlines()[-1:])


def training(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Once it has trained some epochs."""
    metrics = Path("run/metrics.jsonl")
    while not metrics.exists() or metrics.stat().st_size < 2000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def left(folder: str = "run") -> str:
    path = Path(folder)
    if not path.exists():
        return "no folder"
    status = Result.read(path).status if (path / RESULT).exists() else "no result.json"
    return f"result.json: {status}; checkpoint: {'yes' if (path / LAST).exists() else 'no'}"


def goes_on(folder: str = "run") -> str:
    """Continued for two epochs more than its checkpoint has."""
    lines = Path(folder, "metrics.jsonl").read_text().splitlines()
    epochs = json.loads(lines[-1])["epoch"] + 2
    status, _ = ended(start(f"resume={folder}", f"num_epochs={epochs}"))
    return f"; then resumed: exit {status}, {left(folder)}"


@contextmanager
def mounted(options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", "run"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", "run"], check=True)


def full_disk() -> tuple[str, int, str, str]:
    Path("run").mkdir()
    with mounted("size=600k"):
        Path("run/ballast").write_bytes(b"0" * 200_000)
        status, said = ended(start(*LONG))
        state = left()
        Path("run/ballast").unlink()
        return "the disk fills up while training", status, said, state + goes_on()


def read_only() -> tuple[str, int, str, str]:
    Path("run").mkdir()
    with mounted("ro"):
        status, said = ended(start(*LONG))
        return "the output folder is read-only", status, said, left()


def deleted() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    shutil.rmtree("run")
    status, said = ended(process)
    return "the folder is deleted while training", status, said, left()


def interrupted() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    process.send_signal(signal.SIGINT)
    status, said = ended(process)
    return "Ctrl-C", status, said, left() + goes_on()


def terminated() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    process.terminate()
    status, said = ended(process)
    return "SIGTERM", status, said, left() + goes_on()


def killed() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    process.kill()
    status, said = ended(process)
    return "SIGKILL", status, said, left() + goes_on()


def two_at_once() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    status, said = ended(start("resume=run"))
    process.terminate()
    ended(process)
    return "a second process on the folder", status, said, "the first is not disturbed; " + left()


def stale_lock() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    process.kill()
    process.wait()
    assert Path("run/.lock").exists()
    with locked(Path("run")):
        pass
    return "the lock of a process that is gone", 0, "(nothing: it is free)", left() + goes_on()


def no_memory() -> tuple[str, int, str, str]:
    status, said = ended(start(*LONG, "num_hiddens=2000000"))
    return "out of memory", status, said, left()


def torn_checkpoint() -> tuple[str, int, str, str]:
    process = training(start(*LONG))
    process.kill()
    process.wait()
    path = Path("run", LAST)
    path.write_bytes(path.read_bytes()[:-100])
    before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
    status, said = ended(start("resume=run"))
    same = all(p.read_bytes() == content for p, content in before.items() if p.name != "run.log")
    return "a torn checkpoint", status, said, "nothing was touched" if same else "CHANGED"


def clock() -> tuple[str, int, str, str]:
    """Under a clock that runs backwards, by a module that the interpreter loads first."""
    Path("sitecustomize.py").write_text(
        "import time, itertools\n"
        "ticks = itertools.count(2_000_000_000, -60)\n"
        "time.time = lambda: float(next(ticks))\n"
    )
    os.environ["PYTHONPATH"] = str(Path.cwd())
    try:
        status, said = ended(start(*LONG, "num_epochs=5"))
    finally:
        del os.environ["PYTHONPATH"]
    state = left()
    Path("run").rename("backwards")
    ended(start(*LONG, "num_epochs=5"))
    found = list(differences(Path("run"), Path("backwards")))
    same = "same figures as with a good clock" if not found else f"DIFFERS: {found}"
    return "the clock jumps backwards all the time", status, said, f"{state}; {same}"


FAULTS: list[Callable[[], tuple[str, int, str, str]]] = [
    interrupted, terminated, killed, two_at_once, stale_lock, full_disk, read_only, deleted,
    no_memory, torn_checkpoint, clock,
]  # fmt: skip


def fault_table() -> Iterator[str]:
    yield "| fault | exit status | last line on the terminal | left on disk |"
    yield "|---|---|---|---|"
    home = Path.cwd()
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                what, status, said, state = fault()
            finally:
                os.chdir(home)
        said = said.replace(folder, "...").replace("|", "\\|") or "(nothing)"
        yield f"| {what} | {status} | {said} | {state} |"


# --- what other instruments find -------------------------------------------------------------


def crash_table() -> Iterator[str]:
    yield from crashes.table()


def folder_line() -> Iterator[str]:
    """FOLDERS in the environment is their number."""
    number = int(os.environ.get("FOLDERS", "20000"))
    cases = [forged_folders.Case(k) for k in range(number)]
    seen = Counter(each["verdict"] for each in forged_folders.outcomes(cases, jobs=2))
    wrong = sum(count for verdict, count in seen.items() if verdict not in forged_folders.FINE)
    counts = ", ".join(f"{seen[verdict]:,} {verdict}" for verdict in forged_folders.FINE)
    yield f"of {number:,} folders {counts}, and {wrong} anything else"
    assert not wrong, seen


def flushing_line() -> Iterator[str]:
    """The share of a minute's training, with the default settings, that goes into os.fsync."""
    spent, ends, fsync = [0.0], time.monotonic() + 65, os.fsync

    def timed(fd: Any) -> None:
        began = time.perf_counter()
        fsync(fd)
        spent[0] += time.perf_counter() - began

    interrupts.also_stop_when(lambda: os.fsync is timed and time.monotonic() > ends)
    os.fsync = timed
    try:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            result = stack.run(compose(["num_epochs=1000000"]), Path(folder, "run"))
    finally:
        os.fsync = fsync
    assert result.wall_seconds
    share = spent[0] / result.wall_seconds
    yield f"{spent[0]:.2f} s of {result.wall_seconds:.0f} s, {share:.2%} of training"
    assert share < 0.01


TEXT = """\
# Reliability

Written by `make faults` ({dates}): nothing here is typed by hand.

## Killed at random moments

A run, or a stack of three that trains together, is trained once without disturbance; then again,
killed by SIGKILL at random moments and continued each time. Compared bit for bit: every line of
metrics.jsonl and every TensorBoard scalar (times apart), samples, result.json, and all tensors of
the checkpoints, optimizer and hidden state included. Differing bits, lost or doubled steps,
unreadable folders: none in {kills} kills. The last columns count how often a run went on in the
middle of an epoch, and how often its result.json said that it was not exact.

{table}

A study of twelve jobs (two cells, so two shapes, on two workers), killed and continued with the same
command; the moments are uniform over half of its duration. A worker whose study is gone saves and
ends; killed with it, it cannot.

{studies}

`rnnlab verify-resume` does the same on your machine, with your settings.

## Other faults

{faults}

## At every file operation

`make crashes` ({crashes_date}) records every file operation of a run, of a stack of three, of a study
and of a run that is lengthened, and replays each prefix of it: as a kill leaves the folder, with
half of a write too, and as a power cut does, when what was not flushed is lost (contents, or names,
or both). From each state that can be found a user goes on, and the end is compared with the
undisturbed one.

{crashes}

Logs are on the disk before the checkpoint that demands them, a folder's names before whatever relies
on them, and small files are whole or not there. What that costs at the defaults: {flushing}.

## A folder from somebody else

Going on with a run or a study that another person sent, reproducing it, reporting on it and
generating from it is as safe as opening a picture:

- **Nothing of it is executed.** Files are data: JSON, safetensors, a list of texts. No
  interpolation is resolved, nothing is unpickled, no object is made by a name.
- **It is read within bounds.** One typed reader (`_common/typed.py`) takes every stored file: numbers
  that can be stored, texts that can be written, values in their ranges, nothing nested beyond use.
- **It chooses from a closed list.** Of a stored config that is the knobs of the schema; of a
  study's stored command the knobs and choices of its jobs, which sweeper, and the sweeper's numbers
  (`config/stored_words.py`). Any other word is shown, and taken only if you type it.
- **Nothing is fetched.** A text is downloaded for a command that you type only. A stored config may
  name a text on your machine: it is read, and refused if its SHA-256 is another.
- **Nothing is written outside.** What its names lead to has to be a regular file in the folder: a
  link, a pipe, a device or a file with another name elsewhere is not opened.
- **It stays in its place when it is shown.** Control characters, Markdown, HTML and formulas of a
  text are text in the terminal, in the report and in a spreadsheet.

What is not promised: that training it is quick. A run may ask for as many epochs as it likes; Ctrl-C
ends it.

`make attack` ({attacks_date}) tries what we know of:

{attacks}

`running` with nobody at work in the folder means that the run was killed, or could not write how
it ended; it goes on like any other. A stack's checkpoints are first all written beside the old
ones, then all put in their places, so that after a kill there is always one that all lanes have.
What is not covered: a file system whose rename is not atomic, and a disk that loses what it said
was written.

## Damaged and hostile files

`make fuzz` gives 100,000 checkpoints (damaged, and forged with a checksum that is right), results,
configs, command lines and texts to the program: each must be understood or refused in one
sentence, without another exception, a hang, or a file written elsewhere. `tests/fuzz.py folders
20000` does so with whole folders through the commands, in a process each, under limits of memory
and time, with a network that only notes who asks for it: {folders}.

## Half an hour

`make soak`: eight lanes, a checkpoint of each every second, {minutes} minutes, {epochs} epochs.
Resident memory {start:.0f} MiB after a minute and {end:.0f} MiB at the end; an epoch took
{first:.0f} ms in the first half and {second:.0f} ms in the second (medians; other work ran
beside it).

![memory and speed](images/soak.svg)
"""


def main(asked: list[str]) -> None:
    """Measure what is asked for, or all; write the page from all that was measured."""
    results = ROOT / "benchmarks" / "results" / "faults.json"
    found = json.loads(results.read_text()) if results.exists() else {}
    for part in asked or PARTS:
        lines = list(printed(PARTS[part]()))
        found[part] = {"date": date.today().isoformat(), "table": "\n".join(lines)}
        results.write_text(json.dumps(found, indent=1) + "\n")
    for part in PARTS:
        found.setdefault(part, {"date": "no day yet", "table": "(not measured yet)"})
    soak = json.loads((ROOT / "benchmarks" / "results" / "soak.json").read_text())
    text = TEXT.format(
        dates=", ".join(f"{part} on {found[part]['date']}" for part in TABLES),
        kills=12 * KILLS,
        table=found["kills"]["table"],
        faults=found["faults"]["table"],
        studies=found["studies"]["table"],
        crashes=found["crashes"]["table"],
        crashes_date=found["crashes"]["date"],
        attacks=found["attacks"]["table"],
        attacks_date=found["attacks"]["date"],
        folders=found["folders"]["table"],
        flushing=found["flushing"]["table"],
        minutes=soak["minutes"],
        epochs=soak["epochs"],
        start=soak["resident_mib_after_one_minute"],
        end=soak["resident_mib_at_the_end"],
        first=soak["median_epoch_ms_first_half"],
        second=soak["median_epoch_ms_second_half"],
    )
    (ROOT / "docs" / "reliability.md").write_text(text)


TABLES = ("kills", "studies", "faults")


def printed(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line, flush=True)
        yield line


PARTS = {
    "kills": kill_table,
    "studies": study_table,
    "faults": fault_table,
    "crashes": crash_table,
    "attacks": attack_table,
    "folders": folder_line,
    "flushing": flushing_line,
}

if __name__ == "__main__":
    main(sys.argv[1:])
