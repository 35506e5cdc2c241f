"""Sixty folders that somebody forged: understood or refused, and nothing else happens.

`make fuzz` does it by the thousand; forged_folders.py says what is looked at.
"""

from __future__ import annotations

import pytest
from safetensors import safe_open

from forged_folders import FINE, Case, Tried, fixed_cases, told
from rnnlab.runs import stack
from rnnlab.runs.folder import LAST
from tensors_file import TensorsFile

pytestmark = [
    pytest.mark.attack(5, "forged folders through the commands, each kind once"),
    pytest.mark.slow,
]

CASES = fixed_cases()


TRIED = Tried(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)
def test_a_forged_folder_is_understood_or_refused(case: Case):
    outcome = TRIED.outcomes[case.number]
    assert outcome["verdict"] in FINE, told(outcome)


def test_a_checkpoint_that_is_put_together_by_hand_has_the_right_checksum(compose, tmp_path):
    """Else every forged one would be refused for its checksum, and nothing would be tested."""
    stack.run(compose("num_hiddens=4", "num_epochs=1", "dataset.max_tokens=2000"), tmp_path)
    file = TensorsFile.read(tmp_path / LAST)
    file.write(tmp_path / "again")
    for path in (tmp_path / LAST, tmp_path / "again"):
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata()
        assert metadata["sha256"] == file.checksum(metadata["rnnlab"])
