"""Kill runs and studies, and cut their power, at every file operation; go on; compare.

make crashes, or tests/crashes.py "a run" for one of the cases. What can be found after a kill or a
cut comes from a recording (disk.py); each distinct state is gone on with as a user would, and has
to come to the bits of the one that nothing happened to. Prints a table, and what failed; exit
status 1 if anything did.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from cases import CASES, quickly, record
from disk import KINDS, State, Tree, read_tree, write_tree
from rnnlab.config.stored import from_dict
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import CURVE, EVENTS, HYDRA, LAST, MESSAGES, RESULT, ROW
from rnnlab.runs.result import Result
from rnnlab.studies.command import COMMANDS

SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None  # flushing takes no time there
Position = tuple[int, int]  # epochs, and minibatches of the next one


# --- going on from a state -------------------------------------------------------------------


@dataclass
class Visit:
    """What became of a state: sentences of what is wrong, by the columns of the table."""

    anew: bool = False
    wrong: list[tuple[str, str]] = field(default_factory=list)
    since: dict[str, Position] = field(default_factory=dict)  # where its jobs were taken up


@dataclass(frozen=True)
class Start:
    """A state to go on from: plain values, for another process."""

    case: str
    tree: Tree
    whole: Path  # what nothing happened to
    jobs: list[str]


def visit(start: Start) -> Visit:
    found = Visit()
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        home = Path(scratch)
        write_tree(start.tree, home)
        before = {job: Result.find(home / job) for job in start.jobs}
        try:
            with quickly():
                found.anew = CASES[start.case]().go_on(home)
        except Exception as error:
            said = f"{type(error).__name__}: {error}".replace(scratch, "")
            found.wrong.append(("unreadable", said))
            return found
        found.wrong += compared(start.whole, home)
        for job in start.jobs:
            since = went_on(before[job], Result.find(home / job))
            if since is not None:
                found.since[job] = since
    return found


def set_back(state: State, found: Visit) -> Iterator[tuple[str, str]]:
    """A job was taken up earlier than at the last checkpoint that processes had seen in place."""
    for job, since in found.since.items():
        if since < position(state.live.get(f"{job}/{LAST}")):
            where = "an earlier checkpoint" if any(since) else "its beginning"
            yield "set back", f"{job} went on from {where}"


def compared(whole: Path, home: Path) -> Iterator[tuple[str, str]]:
    """Every file that there is, and the bits of every run; run.log may have lost messages."""
    one, other = (without_moved(read_tree(folder)) for folder in (whole, home))
    there, wanted = (Counter(map(plain, tree)) for tree in (other, one))
    yield from (("leftovers", name) for name in topmost(there - wanted))
    yield from (("differing", f"{name} is missing") for name in topmost(wanted - there))
    for name in sorted(one.keys() & other.keys()):
        is_same = f"/{HYDRA}/" in name or name.endswith((CURVE, COMMANDS))
        if bool(one[name]) != bool(other[name]) and not name.endswith(MESSAGES):
            yield "differing", f"{name} is empty"
        elif is_same and one[name] != other[name]:
            yield "differing", f"{name} is another one"
    for job in jobs_of(one):
        if job not in other:
            continue
        try:
            found = [*differences(whole / job, home / job)]
            if tags(whole / job) != tags(home / job):
                found.append("TensorBoard has other texts, pictures or ends")
        except Exception as error:
            found = [f"{type(error).__name__} ({error})".replace(str(home), "")]
        yield from (("differing", f"{job}: {said}") for said in found[:1])


def without_moved(tree: Tree) -> Tree:
    """Not the empty files that an event file leaves behind each time its run goes on."""
    return {name: had for name, had in tree.items() if had != b"" or EVENTS not in name}


def tags(folder: Path) -> Counter[str]:
    """Of everything in a run's event files, texts and pictures and its end included."""
    return Counter(
        value.tag
        for path in [folder / ROW, *folder.glob(f"{EVENTS}*")]
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    )


def plain(path: str) -> str:
    """An event file's name has the time in it; a lock is nobody's business."""
    return re.sub(rf"{EVENTS}.*", EVENTS, path).replace("/.lock", "")


def topmost(paths: Iterable[str]) -> Iterator[str]:
    """Without what is in a folder that is one of them."""
    found = set(paths)
    return (path for path in sorted(found) if str(Path(path).parent) not in found)


def jobs_of(tree: Tree) -> list[str]:
    return sorted(path.removesuffix(f"/{RESULT}") for path in tree if path.endswith(RESULT))


def went_on(before: Result | None, after: Result | None) -> Position | None:
    """Where a run was taken up; None of one that had come to its end, or has come to nothing."""
    if after is None or (before and before.is_done(from_dict(after.config))):
        return None
    places = after.resumed[len(before.resumed) if before else 0 :]
    return (places[0]["epoch"], places[0]["minibatch"]) if places else (0, 0)


@cache
def position(checkpoint: bytes | None) -> Position:
    """Of a safetensors file: the length of its header, and the header in JSON."""
    if not checkpoint:
        return 0, 0
    header = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])
    described = json.loads(header["__metadata__"]["rnnlab"])
    return described["epoch"], described["progress"]["minibatch"]


# --- all of them -----------------------------------------------------------------------------


@dataclass
class Row:
    """A case, and one way of ending it: each state with what is wrong, by the table's columns."""

    case: str
    kind: str
    operations: int
    states: int
    anew: int
    wrong: list[tuple[State, list[tuple[str, str]]]]

    def count(self, column: str) -> int:
        return sum(any(name == column for name, _ in wrong) for _, wrong in self.wrong)


COLUMNS = ("differing", "leftovers", "unreadable", "set back")


def survey(
    case: str,
    kinds: Iterable[str] = KINDS,
    map_: Callable[..., Any] = map,
    every: int = 1,
) -> Iterator[Row]:
    """Go on from each distinct state, or from every so many-th; equal ones of two kinds are one."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        whole = Path(scratch)
        recorded = record(CASES[case](), whole)
        jobs = jobs_of(read_tree(whole))
        found = {kind: recorded.states(kind)[::every] for kind in kinds}
        starts = {
            key(state): Start(case, state.tree, whole, jobs)
            for states in found.values()
            for state in states
        }
        visits = dict(zip(starts, map_(visit, starts.values()), strict=True))
    for kind, states in found.items():
        pairs = [(state, visits[key(state)]) for state in states]
        yield row_of(case, kind, len(recorded.operations), pairs)


def row_of(case: str, kind: str, operations: int, pairs: Sequence[tuple[State, Visit]]) -> Row:
    anew = sum(found.anew for _, found in pairs)
    wrong = [(state, [*found.wrong, *set_back(state, found)]) for state, found in pairs]
    return Row(case, kind, operations, len(pairs), anew, wrong)


def key(state: State) -> frozenset[Any]:
    return frozenset(state.tree.items())


HEAD = [
    f"| case | operations | kind | states | begun anew | {' | '.join(COLUMNS)} |",
    "|---|---|---|---|---|" + "---|" * len(COLUMNS),
]


def line(row: Row) -> str:
    own = (row.case, row.operations, row.kind, row.states, row.anew, *map(row.count, COLUMNS))
    return f"| {' | '.join(map(str, own))} |"


def reasons(rows: Sequence[Row]) -> Iterator[str]:
    """What is wrong, numbers apart, with how many states, and the first of them."""
    for row in rows:
        groups: dict[tuple[str, str], list[State]] = {}
        for state, wrong in row.wrong:
            for column, said in wrong:
                alike = re.sub(r"\.[0-9a-f]{8}\b|\d+(\.\d+)?(e[-+]\d+)?", "#", said)[:200]
                states = groups.setdefault((column, alike), [])
                if state not in states[-1:]:
                    states.append(state)
        for (column, alike), states in groups.items():
            yield f"{row.case}, {row.kind}: {column} in {len(states)}: {alike}"
            yield from stretches(states)


def stretches(states: Sequence[State]) -> Iterator[str]:
    """When: the first of every row of states that follow each other, three of them."""
    after = [now for before, now in pairwise(states) if now.first > before.last + 1]
    begins = [*states[:1], *after]
    for state in begins[:3]:
        yield f"    after operation {state.first}, {state.said}"
    if len(begins) > 3:
        yield f"    and {len(begins) - 3} times more"


def table(cases: Sequence[str] = (), every: int = 1) -> Iterator[str]:
    """Line by line, and what failed; raises AssertionError at its end if anything did."""
    yield from HEAD
    rows: list[Row] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def in_pool(*given: Any) -> Iterator[Visit]:
            return pool.map(*given, chunksize=8)

        for case in cases or [*CASES][:5]:
            for row in survey(case, map_=in_pool, every=every):
                rows.append(row)
                yield line(row)
    yield from reasons(rows)
    assert not any(row.count(column) for row in rows for column in COLUMNS)


def main(cases: list[str]) -> None:
    for said in table(cases):
        print(said, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
