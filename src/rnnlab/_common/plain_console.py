"""rich's console, for text that is nothing but text."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from rnnlab._common.console import as_screen, plain


class PlainConsole(Console):
    """Knows no markup and no emoji codes, and fails no more than a Screen does."""

    def __init__(self) -> None:
        out = as_screen(sys.stdout)
        super().__init__(file=out, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every text comes through here: lines, titles, cells."""
        return super().render_str(plain(text), **options)
