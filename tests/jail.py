"""A command of rnnlab in a forked process that can do no harm, and what it did.

The process that calls `run` has imported what commands need and has one thread. What it forks has
no network, no more memory and processor than a small run needs, no rights beyond its user's, and
tells of every file that is opened for writing, every program that is started and every address that
is asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import hashlib
import logging
import multiprocessing
import multiprocessing.util
import os
import re
import resource
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS, CPU_SECONDS = 20, 60  # longer than that is a hang
SIGTERM_AFTER, PATIENCE = 5, 10  # of a command that trains: it may take its time, but must listen
MEMORY = 2 << 30  # more than the process has when it starts
PEAK = 1500 << 10  # KiB; a small run needs a quarter of it
KERNELS = os.environ.setdefault(  # compiled ones are kept there: no case is to compile anew
    "NUMBA_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "kernels")
)
SECRET = ("FUZZ_SECRET", "q7-the-secret-of-the-environment")
CANARY = b"q7-nobody-is-to-read-or-change-this"  # what files outside of the sent folder hold
PROGRAMS = {"git", "uname"}  # that rnnlab, and platform for it, start
LOOKED_AT = 64 << 20  # bytes: the content of a larger file is not looked at
UNCLEAR = re.compile(
    r"\b(Key|Type|Attribute|Index|Assertion|Runtime|Value|Recursion|Overflow|ZeroDivision|Memory|"
    r"UnicodeEncode|UnicodeDecode|NotImplemented)Error\b"
)
FRAME = re.compile(r'File "[^"]*/(rnnlab/[^"]*|hydra_plugins/[^"]*)", line (\d+)')
State = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Jailed:
    """What is to be run, where, and what it may change."""

    arguments: list[str]  # of rnnlab
    box: Path  # scratch/ and said/ in it are the command's, world/ is watched
    may_change: Callable[[Path], bool]
    trains: bool = False


@dataclass
class Outcome:
    """One command's verdict; `cause` groups those that fail."""

    verdict: str
    cause: str = ""
    said: str = ""  # its last line
    shown: str = ""  # the end of all that it said, where it failed
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def run(job: Jailed) -> Outcome:
    before = state_of(job.box / "world")
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_jailed(job)
    status, peak, hung, asked = _waited_for(child, job)
    _end_orphans()
    outcome = _judged(job, status, peak, hung, asked)
    outcome.seconds = time.monotonic() - started
    for difference in _differences(job, before):
        kind, _, what = difference.partition(": ")
        outcome.notes.insert(0, what)
        outcome.verdict, outcome.cause = kind, outcome.cause or re.sub(r"\d+", "N", what)
    return outcome


# --- inside ----------------------------------------------------------------------------------


def _be_jailed(job: Jailed) -> None:
    code = 1
    try:
        _shut_in(job)
        code = _status_of_main(job.arguments)
        multiprocessing.util._exit_function()  # pyrefly: ignore  (ends the workers)
        logging.shutdown()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _shut_in(job: Jailed) -> None:
    scratch, said = job.box / "scratch", job.box / "said"
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
    os.chdir(scratch)
    os.environ.update(
        {"HOME": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache"), "TMPDIR": str(scratch)}
        | {"TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor")}  # torch.optim makes it
        | {SECRET[0]: SECRET[1], "COLUMNS": "200"}
    )
    import tempfile

    tempfile.tempdir = None
    faulthandler.register(signal.SIGUSR1, (said / "stack").open("w"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(_watcher(job.box, os.open(said / "calls", os.O_CREAT | os.O_WRONLY)))
    _without_forkserver()
    _drop_rights()
    with Path("/proc/self/statm").open() as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _without_forkserver() -> None:
    """A study's workers are forked from here, where torch is there already and nobody gets out."""
    from rnnlab.studies.executors import local

    work: Any = getattr(local, "_work", None)

    def begin(*arguments: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as the server's: not what the study made
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in ("", *logging.root.manager.loggerDict):  # nor what Hydra arranged
            logging.getLogger(name).handlers.clear()
        work(*arguments)

    if work and hasattr(local, "context") and hasattr(local, "preload"):
        local.context = multiprocessing.get_context("fork")  # pyrefly: ignore
        local.preload = lambda: None
        vars(local)["_work"] = begin


def _drop_rights() -> None:
    """Of a superuser's process: that files of mode 000 can be read."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)())


def _status_of_main(arguments: list[str]) -> int:
    """Of the command, as the interpreter would end with it."""
    from rnnlab.cli import commands, train

    entry = train.main if arguments[0] == "run.py" else commands.main
    sys.argv = arguments
    try:
        entry()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _watcher(box: Path, calls: int) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook: Python asks it before it opens, removes, starts or connects anything."""
    root, world = os.path.realpath(box), os.path.realpath(box / "world")
    inside = (f"{root}/scratch", f"{world}/sent", f"{root}/said", os.path.realpath(KERNELS))

    def note(kind: str, what: str) -> None:
        frame, place = sys._getframe(2), ""
        while frame and not place:
            name = frame.f_code.co_filename
            if "/src/rnnlab/" in name or "/src/hydra_plugins/" in name:
                place = f"{name.partition('/src/')[2]}:{frame.f_lineno}"
            frame = frame.f_back
        os.write(calls, f"{kind}: {what} from {place or 'elsewhere'}\n".encode(errors="replace"))

    def writes(path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        parent, name = os.path.split(os.fsdecode(path))
        real = os.path.join(os.path.realpath(parent or "."), name)  # noqa: PTH118
        if not real.startswith((*inside, "/dev/null", "/proc/self/", "/dev/tty")):
            note("OUTSIDE", f"changes {os.path.relpath(real, root)}")
            if not real.startswith(root):  # of this machine: noted, and kept as it is
                raise PermissionError(f"{real} is outside")

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        match event, arguments:
            case "open", (path, _, int(flags)) if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                if flags & (os.O_NOFOLLOW | os.O_EXCL) or isinstance(path, int):
                    writes(path)
                else:
                    writes(os.path.realpath(os.fsdecode(path)))
            case (("os.mkdir" | "os.rmdir" | "os.remove" | "os.chmod"), (path, *_, folder)):
                if folder == -1:
                    writes(path)
            case "os.truncate", (path, _):
                writes(path)
            case (("os.rename" | "os.link" | "os.symlink"), (source, target, *more)):
                if not any(type(each) is int and each >= 0 for each in more):
                    writes(target)
                    if event == "os.rename":
                        writes(source)
            case "subprocess.Popen", (program, *_):
                if Path(os.fsdecode(program)).name not in PROGRAMS:
                    note("CODE", f"starts {program}")
                    raise PermissionError(f"{program} is not to be started")
            case (("os.system" | "os.exec" | "os.posix_spawn"), (program, *_)):
                if Path(os.fsdecode(program)).name not in PROGRAMS:
                    note("CODE", f"{event} {os.fsdecode(program)}")
                    raise PermissionError(f"{event} is not to be called")
            case (("socket.connect" | "socket.sendto"), (_, address)):
                if isinstance(address, tuple):
                    note("CONNECTION", f"{address[0]}:{address[1]}")
                    raise OSError("there is no network here")
            case (("socket.getaddrinfo" | "socket.gethostbyname"), (name, *_)):
                note("CONNECTION", f"asks for {name}")
                raise OSError("there is no network here")

    return watch


# --- outside ---------------------------------------------------------------------------------


def _waited_for(child: int, job: Jailed) -> tuple[int, int, bool, bool]:
    """Its wait status, its peak in KiB, whether it had to be killed, was asked to end."""
    started, asked, hung = time.monotonic(), 0.0, False
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return status, usage.ru_maxrss, hung, asked > 0
        now = time.monotonic() - started
        if job.trains and not asked and now > SIGTERM_AFTER:
            os.kill(child, signal.SIGTERM)
            asked = now
        if not hung and (now > asked + PATIENCE if asked else now > SECONDS):
            hung = True
            os.kill(child, signal.SIGUSR1)  # where is it?
            time.sleep(0.3)
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


def become_reaper() -> None:
    """What commands leave behind becomes a child of this process, which ends it."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _end_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in map(int, children):
                os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _judged(job: Jailed, status: int, peak: int, hung: bool, asked: bool) -> Outcome:
    said = job.box / "said"
    out, err, calls, stack = (
        (said / name).read_text(errors="replace") if (said / name).exists() else ""
        for name in ("out", "err", "calls", "stack")
    )
    outcome = Outcome("understood", said=_last(err) or _last(out))
    notes = [*dict.fromkeys(calls.splitlines())]
    outcome.notes = [note for note in notes if "__pycache__" not in note]
    trouble = next(iter(outcome.notes), "")
    code = os.waitstatus_to_exitcode(status)
    text = out + err
    if trouble:
        outcome.verdict, _, outcome.cause = trouble.partition(": ")
        outcome.cause = re.sub(r"^.* from ", "from ", outcome.cause)
    elif hung:
        outcome.verdict = "HANG"
        outcome.cause = f"hangs in {_place(stack, first=True)}{' after SIGTERM' if asked else ''}"
    elif re.search(r"^(Traceback \(most recent|Fatal Python error)", text, re.M):
        shown = err if "Traceback" in err else out
        outcome.verdict = "MEMORY" if re.search("^MemoryError", shown, re.M) else "OTHER"
        kinds = re.findall(r"^([\w.]+(?:Error|Exception|Warning|Interrupt|Exit)\b)", shown, re.M)
        kind = kinds[-1] if kinds else _last(shown)[:60]
        outcome.cause = f"{kind} at {_place(shown)}"
    elif code < 0 and not (asked and code == -signal.SIGTERM):
        outcome.verdict, outcome.cause = "OTHER", f"ended by {signal.Signals(-code).name}"
    elif found := UNCLEAR.search(text):
        line = next(line for line in text.splitlines() if UNCLEAR.search(line))
        outcome.verdict, outcome.cause = "OTHER", f"a sentence with {found[0]}"
        outcome.said = line.strip()
    elif peak > PEAK:
        outcome.verdict, outcome.cause = "MEMORY", f"takes more than {PEAK >> 10} MiB"
    elif asked:
        outcome.verdict = "stopped"
    elif code in (1, 2, 130):
        outcome.verdict = "refused"
        if not text.strip():
            outcome.verdict, outcome.cause = "OTHER", "refused without a word"
    elif code:
        outcome.verdict, outcome.cause = "OTHER", f"exit status {code}"
    outcome.shown = text[-4000:] if outcome.cause else ""
    return outcome


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


def _place(text: str, first: bool = False) -> str:
    """The line of rnnlab that a trace goes through last; faulthandler's begin with it."""
    frames = FRAME.findall(text)
    if not frames:
        return "no line of rnnlab"
    name, line = frames[0 if first else -1]
    return f"{name}:{line}"


# --- what has changed ------------------------------------------------------------------------


def state_of(world: Path) -> State:
    """Everything below a folder; links are not followed."""
    return dict(_states(world))


def _states(world: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for folder, folders, files in os.walk(world):
        for name in (*folders, *files):
            path = Path(folder) / name
            with contextlib.suppress(OSError):
                found = path.lstat()
                if stat.S_ISDIR(found.st_mode):
                    yield str(path), (found.st_mode,)
                elif stat.S_ISREG(found.st_mode):
                    yield str(path), (found.st_mode, found.st_mtime_ns, found.st_size, *_sum(path))
                else:
                    yield str(path), (found.st_mode, found.st_ino)


def _sum(path: Path) -> tuple[str, ...]:
    if path.stat().st_size > LOOKED_AT:
        return ()
    return (hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),)


def _differences(job: Jailed, before: State) -> Iterator[str]:
    """VERDICT: what; of files elsewhere, and of secrets in those that may change."""
    world, secrets = job.box / "world", [SECRET[1].encode(), CANARY]
    after = state_of(world)
    for name in sorted(before.keys() | after.keys()):
        path = Path(name)
        if before.get(name) == after.get(name):
            continue
        done = "creates" if name not in before else "changes" if name in after else "removes"
        if not job.may_change(path):
            yield f"OUTSIDE: {done} {path.relative_to(world)}"
        elif name in after and _holds(path, secrets):
            yield f"SECRET: it is in {path.relative_to(world)}"
    for path in (job.box / "scratch").rglob("*"):
        if _holds(path, secrets):
            yield f"SECRET: it is in scratch/{path.name}"


def _holds(path: Path, secrets: list[bytes]) -> bool:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > LOOKED_AT:
        return False
    content = path.read_bytes()
    return any(secret in content for secret in secrets)
