"""report.html: one file that fetches nothing, whose pictures and table are drawn in the browser.

What the runs came to is JSON in the page (contents.py); web/ has the page itself, its style and
its scripts, which are put together here. A policy in the page allows these and nothing else: no
request, no script that came with a text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from rnnlab.studies.report.escaping import in_html

WEB = Path(__file__).parent / "web"
SCRIPTS = """elements scales view rows tooltip curves table effects parallel heatmap clipping texts
    page""".split()  # each knows those before it


def page(title: str, contents: dict[str, Any]) -> str:
    """Raises ValueError for contents that JSON has no words for, as NaN."""
    style, script = (_read("page.css"), "\n".join(_read(f"{name}.js") for name in SCRIPTS))
    parts = {
        "title": in_html(title),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}",
        "style": style,
        "data": _in_script(contents),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html"))


def _in_script(contents: dict[str, Any]) -> str:
    """JSON in ASCII that ends no element and begins none."""
    text = json.dumps(contents, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")
