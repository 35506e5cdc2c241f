"""Folders that somebody sent, forged, through the commands that people type on them.

    python tests/fuzz.py folders 20000 [--start 0] [--jobs 2]

A case is its number: the same number forges the same folder and types the same command. Each must
be understood (exit status 0, or stopped by SIGTERM where it may train on) or refused in sentences.
Anything else is printed with what was forged, the command, and its last line.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from preloaded import preload

FINE = ("understood", "refused", "stopped")
SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=2", "dataset.max_tokens=99"]
SMALL += ["dataset.val_fraction=0.3", "log.sample_length=5", "log.val_every=1"]
SMALL += ["log.sample_every=1", "optimizer=momentum"]
SHARES = {"result_value": 3, "figures": 2, "config_value": 4, "config_dataset": 2, "metrics": 3}
SHARES |= {"config_choice": 1, "garbled": 1, "checkpoint_metadata": 4, "checkpoint_tensors": 3}
SHARES |= {"overrides": 2, "hydras_own": 1, "commands": 4, "kind": 6}
COMMANDS = {  # what is typed on which folder; FOLDER, and JOB: one of a study's
    "run": ["reproduce FOLDER", "report FOLDER", "resume FOLDER num_epochs=4", "resume FOLDER"]
    + ["generate FOLDER --prefix the", "generate FOLDER --prefix the --best"],
    "stopped": ["resume FOLDER", "resume FOLDER", "run.py resume=FOLDER num_epochs=4"]
    + ["report FOLDER", "generate FOLDER --prefix the --length 30"],
    "study": ["resume FOLDER", "resume FOLDER num_epochs=3", "report FOLDER", "reproduce JOB"]
    + ["run.py resume=FOLDER plan=true", "resume JOB num_epochs=3", "generate JOB --prefix the"],
    "halted": ["resume FOLDER", "resume FOLDER", "resume FOLDER", "run.py resume=FOLDER plan=true"]
    + ["report FOLDER", "resume JOB"],
    "download": ["resume FOLDER num_epochs=3", "reproduce FOLDER"],
}
TYPED = [f"{folder}: {command}" for folder, own in COMMANDS.items() for command in own]
CONTINUES = r"stopped.*resume|halted.*resume|num_epochs|reproduce"
MEETS = {  # where a forging would be met
    "result_value": "report|resume|reproduce",
    "figures": "report|resume",
    "config_value": CONTINUES,
    "config_dataset": CONTINUES,
    "config_choice": CONTINUES,
    "metrics": CONTINUES + "|report",
    "checkpoint_metadata": CONTINUES + "|generate",
    "checkpoint_tensors": CONTINUES + "|generate",
    "overrides": "(study|halted).*(report|resume|reproduce)",
    "hydras_own": "(study|halted): .*resume.*FOLDER",
    "commands": "(study|halted): .*resume.*FOLDER",
}


@dataclass(frozen=True)
class Case:
    """`forgings`: those of forge.forge; none: some are drawn."""

    number: int | str
    folder: str = ""
    command: str = ""
    forgings: tuple[str | list[Any], ...] = ()


def fixed_cases() -> list[Case]:
    """Every kind of forging on the commands that would meet it."""
    numbers = {"kind": 12, "commands": 7, "overrides": 3, "hydras_own": 2, "garbled": 2}
    on = {"commands": ("study", "resume FOLDER"), "hydras_own": ("study", "resume FOLDER")}
    on |= {"metrics": ("run", "report FOLDER"), "config_dataset": ("run", "reproduce FOLDER")}
    on |= {"overrides": ("study", "report FOLDER"), "figures": ("study", "report FOLDER")}
    on |= {"checkpoint_tensors": ("stopped", "resume FOLDER"), "kind": ("stopped", "resume FOLDER")}
    found = []
    for name in SHARES:
        folder, command = on.get(name, ("stopped", "resume FOLDER"))
        for k in range(numbers.get(name, 4)):
            found.append(Case(f"{name}-{k}", folder, command, (name,)))
    return found


# --- one after the other, in a process of its own --------------------------------------------


class Worker:
    """The folders that are forged, made once, and the box that commands run in."""

    def __init__(self, home: Path) -> None:
        import jail

        jail.become_reaper()
        self.box, self.templates = home / "box", home / "templates"
        self.templates.mkdir()
        (self.box / "scratch").mkdir(parents=True)
        text = home / "texts" / "story.txt"
        text.parent.mkdir()
        text.write_text("it was a fine day for the time traveller, and for the others too. " * 3)
        self.text = text
        sys.dont_write_bytecode = True
        preload()
        run = [*SMALL, "hydra.run.dir=run"]
        made = ["dataset=time_machine", f"dataset.root={text.parent}", f"dataset.file={text.name}"]
        made += [f"dataset.sha256={_sha256(text)}", "dataset.urls=[http://127.0.0.1:9/x]"]
        self._train(run)
        self._train([*SMALL, "num_epochs=3", "hydra.run.dir=stopped"], stop_after=9)
        self._train([*SMALL, *made, "hydra.run.dir=download"])
        self._train(["-m", "seed=0,1,2", *SMALL, "sweep=study"])
        self._halt([*SMALL, "num_epochs=3"])

    def _halt(self, arguments: list[str]) -> None:
        """A study that was killed when two of its three jobs had begun."""
        halted = self.templates / "halted"
        for seed in (0, 1):
            place = f"hydra.run.dir='halted/{seed}_seed={seed}'"
            self._train([f"seed={seed}", *arguments, place], stop_after=9)
        noted = json.dumps(["-m", "seed=0,1,2", *arguments])
        (halted / "commands.jsonl").write_text(noted + "\n")
        shutil.copy(self.templates / "study" / "multirun.yaml", halted)

    def _train(self, arguments: list[str], stop_after: int | None = None) -> None:
        """In templates/, by a fork: this process must not begin threads."""
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == (130 if stop_after else 0), arguments
            return
        os.chdir(self.templates)
        os.dup2(os.open("said", os.O_CREAT | os.O_WRONLY), 1)
        if stop_after:
            _stops_after(stop_after)
        from rnnlab.cli.train import main

        sys.argv = ["run.py", *arguments]
        try:
            main()
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(end.code if isinstance(end.code, int) else 1)
        os._exit(1)

    def outcome(self, case: Case) -> dict[str, Any]:
        """Everything about it, in JSON's types."""
        import forge
        import jail

        rng = random.Random(str(case.number))
        kinds = [*case.forgings] or rng.choices(
            [*SHARES], [*SHARES.values()], k=rng.choice([1, 1, 1, 1, 2, 2, 3])
        )
        name, command = case.folder, case.command
        if not name:
            meeting = re.compile(MEETS.get(str(kinds[0]), ""))
            name, command = rng.choice([*filter(meeting.search, TYPED)]).split(": ")
        for folder in ("world", "said", "scratch"):
            _remove(self.box / folder)
        world = self.box / "world"
        sent = world / "sent" / name
        sent.parent.mkdir(parents=True)
        (self.box / "said").mkdir()
        (self.box / "scratch").mkdir()
        (world / "canary").mkdir()
        (world / "canary" / "note.txt").write_bytes(jail.CANARY + b"\n")
        (world / "canary" / "inner.txt").write_bytes(jail.CANARY + b"\n")
        shutil.copytree(self.templates / name, sent)
        by = forge.Forger(sent, world, rng)
        job = rng.choice(by.runs)
        done = []
        for kind in sorted(kinds, key=lambda kind: kind == "kind"):  # which nobody could read
            try:
                done.append(forge.forge(by, kind))
            except Exception as error:  # what was to be forged is none any more
                done.append(f"{kind}: not forged ({type(error).__name__})")
        if case.forgings or rng.random() < 0.7:
            forge.fit_lengths(by)
        words = {"FOLDER": str(sent), "JOB": str(job)}
        typed = [re.sub("FOLDER|JOB", lambda m: words[m[0]], word) for word in command.split()]
        arguments = typed if typed[0] == "run.py" else ["rnnlab", *typed]
        verb = "resume" if typed[0] == "run.py" else typed[0]
        place = job if "JOB" in command else sent

        def may_change(path: Path) -> bool:
            if verb == "report":
                reports = {"report.html", "report.md", "results.csv"}
                return path.parent == sent and path.name in reports
            shows = "plan=true" in command
            if verb == "resume":
                own = path.is_relative_to(place)
                return own and (not shows or path.name in ("multirun.yaml", ".lock"))
            return False

        jailed = jail.Jailed(arguments, self.box, may_change, verb in ("resume", "reproduce"))
        found = dataclasses.asdict(jail.run(jailed))
        kinds = sorted({kind if isinstance(kind, str) else kind[0] for kind in kinds})
        return {"number": case.number, "kinds": kinds, "forged": done, "command": command} | found


def _stops_after(number: int) -> None:
    """The run is asked to stop before one of its minibatches."""
    from itertools import count

    from rnnlab.runs import stack

    asked = count()

    @contextlib.contextmanager
    def requests() -> Iterator[Any]:
        yield lambda: next(asked) >= number

    stack.stop_requests = requests  # pyrefly: ignore


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove(folder: Path) -> None:
    if folder.exists():
        for each in folder.rglob("*"):
            if each.is_dir() and not each.is_symlink():
                each.chmod(0o700)
        shutil.rmtree(folder)


# --- many at once ----------------------------------------------------------------------------


def outcomes(cases: Iterable[Case], jobs: int = 1) -> Iterator[dict[str, Any]]:
    """As they come, from worker processes with one thread each."""
    given = list(cases)
    shares = [given[k::jobs] for k in range(jobs)]
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    threads = dict.fromkeys(libraries, "1")
    environment = os.environ | threads | {"PYTHONDONTWRITEBYTECODE": "1"}
    workers = []
    for share in shares:
        command = [sys.executable, __file__, "--worker"]
        worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert worker.stdin
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(json.dumps([dataclasses.asdict(case) for case in share]))
            worker.stdin.close()
        workers.append(worker)
    import selectors

    watched, left = selectors.DefaultSelector(), len(workers)
    for worker in workers:
        assert worker.stdout
        watched.register(worker.stdout, selectors.EVENT_READ)
    while left:
        for key, _ in watched.select():
            line = key.fileobj.readline()  # type: ignore[union-attr]
            if line:
                yield json.loads(line)
            else:
                watched.unregister(key.fileobj)
                left -= 1
    assert not any(worker.wait() for worker in workers), "a worker of the fuzzer ended"


class Tried:
    """Cases that are tried together, when the first of them is asked for."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases

    @cached_property
    def outcomes(self) -> dict[Any, dict[str, Any]]:
        """By the cases' numbers."""
        return {outcome["number"]: outcome for outcome in outcomes(self.cases, jobs=2)}


def work() -> None:
    """Cases from the standard input, outcomes to the standard output, a line each."""
    cases = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory(prefix="forged-", ignore_cleanup_errors=True) as home:
        os.environ["MPLCONFIGDIR"] = str(Path(home) / "matplotlib")
        worker = Worker(Path(home).resolve())
        for values in cases:
            case = Case(**values | {"forgings": tuple(values["forgings"])})
            print(json.dumps(worker.outcome(case)), file=answers, flush=True)
        _remove(worker.box)


def told(outcome: dict[str, Any]) -> str:
    lines = [f"case {outcome['number']}: {outcome['verdict']}, {outcome['cause']}"]
    lines += [f"    forged: {each}" for each in outcome["forged"]]
    lines += [f"    typed:  {outcome['command']}", f"    said:   {outcome['said']}"]
    lines += [f"    noted:  {note}" for note in outcome["notes"][:3]]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Exit status 1 if any case was neither understood nor refused."""
    parser = argparse.ArgumentParser(prog="fuzz.py folders")
    parser.add_argument("number", type=int)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a line of JSON for each case")
    given = parser.parse_args(arguments)
    cases = [Case(number) for number in range(given.start, given.start + given.number)]
    table: Counter[tuple[str, str]] = Counter()
    causes: dict[str, list[dict[str, Any]]] = {}
    started = time.monotonic()
    with given.out.open("a") if given.out else contextlib.nullcontext() as out:
        for outcome in outcomes(cases, given.jobs):
            if out:
                print(json.dumps(outcome), file=out, flush=True)
            for kind in outcome["kinds"]:
                table[kind, outcome["verdict"]] += 1
            if outcome["verdict"] not in FINE:
                known = causes.setdefault(f"{outcome['verdict']}: {outcome['cause']}", [])
                known.append(outcome)
                if len(known) == 1:
                    print(told(outcome), flush=True)
                    print(outcome["shown"] if given.number == 1 else "", flush=True)
    summary(table, causes)
    print(f"{given.number:,} folders in {time.monotonic() - started:.0f} s")
    return 1 if causes else 0


def summary(table: Counter[tuple[str, str]], causes: dict[str, list[dict[str, Any]]]) -> None:
    """By kind and verdict; and by cause, the most frequent first."""
    verdicts = [*FINE, *sorted({verdict for _, verdict in table} - {*FINE})]
    print(f"\n{'':20}" + "".join(f"{verdict:>12}" for verdict in verdicts))
    for kind in SHARES:
        print(f"{kind:20}" + "".join(f"{table[kind, verdict]:>12}" for verdict in verdicts))
    for cause, own in sorted(causes.items(), key=lambda each: -len(each[1])):
        print(f"{len(own):>6} {cause} (case {own[0]['number']})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work()
    else:
        sys.exit(main(sys.argv[1:]))
