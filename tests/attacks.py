"""make attack: every attack of the tests, and a line for each kind in docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

Kind = tuple[int, str]


class Tally:
    """A plugin of pytest: how the tests of each kind of attack went."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}  # by the test that has the mark
        self.held: Counter[Kind] = Counter()
        self.failed: Counter[Kind] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if mark := item.get_closest_marker("attack"):
                self.kinds[item.nodeid] = mark.args

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        kind = self.kinds[report.nodeid]
        if report.failed:
            self.failed[kind] += 1
        elif report.when == "call" and report.passed:
            self.held[kind] += 1


def attack_table() -> Iterator[str]:
    """Raises AssertionError, after the table, where one was not held."""
    tally = Tally()
    pytest.main(["-q", "-m", "attack", "--no-header", "-p", "no:warnings"], [tally])
    yield "| attack | tests | held |"
    yield "|---|---|---|"
    for kind in sorted({*tally.held, *tally.failed}):
        held, failed = tally.held[kind], tally.failed[kind]
        yield f"| {kind[1]} | {held + failed} | {held} |"
    assert not tally.failed, tally.failed
