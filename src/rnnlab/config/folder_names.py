"""What the folders of runs, jobs and studies are called, if nobody says otherwise.

conf/config.yaml asks for them by their names, as resolvers: ${rnnlab.run_folder:...}.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime

MOST_BYTES = 100  # of what was typed: file systems have room for 143 to 255
REMARKS = ("note=", "tags=")  # in no name


def now_and_id() -> str:
    """2026-11-23_14-05-59_3f9a1c: sorts by time; the random part keeps two apart."""
    return _at_this_moment("")


def run_folder(overrides: Sequence[str]) -> str:
    """The same with what was typed in it: 2026-11-23_14-05-59_sampler=random,lr=1_3f9a1c."""
    return _at_this_moment(_typed(overrides))


def job_folder(number: int, overrides: Sequence[str]) -> str:
    """3_lr=0.5,seed=1."""
    return f"{number}_{_typed(overrides)}"


def _at_this_moment(what: str) -> str:
    parts = (f"{datetime.now():%Y-%m-%d_%H-%M-%S}", what, secrets.token_hex(3))
    return "_".join(filter(None, parts))


def _typed(overrides: Sequence[str]) -> str:
    """A part of a folder's name, whatever characters the overrides have; cut between two."""
    own = [text for each in overrides if not (text := str(each)).startswith(REMARKS)]
    given = unicodedata.normalize("NFC", ",".join(own))
    safe = "".join(c if c.isalnum() or c in "=,._+-" else "-" for c in given)
    return safe.encode()[:MOST_BYTES].decode(errors="ignore")
