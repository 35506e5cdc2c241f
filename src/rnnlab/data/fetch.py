"""A file over HTTP: bounded, checked by SHA-256. Imported only where something is to be fetched."""

from __future__ import annotations

import hashlib
import http.client
import urllib.parse
import urllib.request
from typing import Any

from rich.progress import wrap_file

TIMEOUT_SECONDS = 20
MAX_BYTES = 256 << 20  # no text here is near this size: a server that sends more is wrong


class FetchError(Exception):
    """Why it could not be had, in a few words."""


class SameScheme(urllib.request.HTTPRedirectHandler):
    """A server may send us elsewhere, but neither from https to http nor to a file."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != req.type:
            raise ValueError(f"it redirects to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, sha256: str, name: str) -> bytes:
    """The content behind a URL; raises FetchError where it cannot be had or is another."""
    try:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("only http and https are fetched")
        opener = urllib.request.build_opener(SameScheme)
        with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            total = int(response.headers.get("Content-Length") or 0)
            with wrap_file(response, total=total, description=f"downloading {name}") as body:
                content = body.read(MAX_BYTES + 1)
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256:
            raise ValueError(f"what it sends has SHA-256 {digest}, not {sha256}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(f"{url} ({getattr(error, 'reason', None) or error})") from error
    return content
