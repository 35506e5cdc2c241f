"""The terminal that everything is printed on."""

import os
import sys

from rich.console import Console


class QuietConsole(Console):
    """Goes on in silence when nobody reads any more: `run.py | head` must not end a training."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
