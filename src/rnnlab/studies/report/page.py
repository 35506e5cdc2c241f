"""report.html: one file that fetches nothing, whose pictures and table are drawn in the browser.

What the runs came to is JSON in the page (contents.py); web/ has its style and its scripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rnnlab._common import page as pages

WEB = Path(__file__).parent / "web"
SCRIPTS = """elements scales view rows tooltip curves table effects parallel heatmap clipping texts
    page""".split()
OTHERWISE = (
    "This page is drawn by its own scripts, which are off here: report.md beside it says the same "
    "in text."
)


def page(title: str, contents: dict[str, Any]) -> str:
    """Raises ValueError for contents that JSON has no words for, as NaN."""
    return pages.page(WEB, SCRIPTS, title, contents, OTHERWISE)
