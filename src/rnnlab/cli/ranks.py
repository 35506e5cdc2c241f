"""A run under torchrun: what each of its processes does before it trains."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from rnnlab._common import interrupts
from rnnlab._common.console import complain
from rnnlab._common.torchrun import is_first, processes
from rnnlab.cli.answers import FAILED

if TYPE_CHECKING:
    from rnnlab.config.schema import Config
    from rnnlab.runs.preflight import Corpora


def has_helped(config: Callable[[], Config], corpora: Corpora) -> bool:
    """True once this process has trained along; the first one, or the only one, is to begin."""
    if processes() > 1:
        interrupts.warned_by(signal.SIGINT, signal.SIGTERM)  # each comes more than once
    if is_first():
        return False
    from rnnlab.runs.helper import train_along
    from rnnlab.training.ranks import RankLostError

    try:
        train_along(config(), corpora)
    except RankLostError as error:
        complain(f"{error}.")
        sys.exit(FAILED)
    return True
