"""A page in one file that fetches nothing: its style, its scripts and what these show.

What a page shows is JSON in it; its own style and scripts lie in a folder, and what all pages have
in web/ here. A policy in the page allows these and nothing else: no request, no script that came
with a text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rnnlab._common.console import plain

OURS = Path(__file__).parent / "web"


def page(
    web: Path, scripts: Sequence[str], title: str, contents: dict[str, Any], otherwise: str
) -> str:
    """HTML with page.css and these scripts of `web`, each of which knows those before it.

    They find `contents` as `data`; `otherwise` is read where scripts are off. Raises ValueError
    for contents that JSON has no words for, as NaN.
    """
    style = _read(OURS / "base.css") + _read(web / "page.css")
    files = [OURS / "element.js", *(web / f"{name}.js" for name in scripts)]
    script = "\n".join(map(_read, files))
    parts = {
        "title": html.escape(plain(title)),
        "policy": f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}",
        "style": style,
        "otherwise": html.escape(otherwise),
        "data": _in_script(contents),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read(OURS / "page.html"))


def _in_script(contents: dict[str, Any]) -> str:
    """JSON in ASCII that ends no element and begins none."""
    text = json.dumps(contents, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
