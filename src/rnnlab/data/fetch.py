"""A file over HTTP: bounded, checked by SHA-256. Imported only where something is to be fetched."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
import urllib.parse
import urllib.request
from queue import Empty, SimpleQueue
from typing import Any

from rnnlab._common.progress import bar

TIMEOUT_SECONDS = 20  # for the first byte, and for each silence
SLOWEST = 1 << 10  # bytes a second
PIECE = 1 << 16
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
        content = _received(url, name)
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256:
            raise ValueError(f"what it sends has SHA-256 {digest}, not {sha256}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchError(f"{url} ({getattr(error, 'reason', None) or error})") from error
    return content


class Receiver(threading.Thread):
    """Asks for a URL and puts what comes into `pieces`: at last b"", or what went wrong.

    Looking up a name, headers and redirects can dawdle as well as the content, and no timeout of
    a socket sees that: each byte is in time. So whoever waits counts the time, in another thread.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.total: int | None = None  # bytes, if the server says it
        self.pieces: SimpleQueue[bytes | Exception] = SimpleQueue()
        self.is_wanted = True

    def run(self) -> None:
        try:
            opener = urllib.request.build_opener(SameScheme)
            with opener.open(self.url, timeout=TIMEOUT_SECONDS) as response:
                self.total = response.length
                while self.is_wanted and (piece := response.read1(PIECE)):
                    self.pieces.put(piece)
            self.pieces.put(b"")
        except Exception as error:
            self.pieces.put(error)


def _received(url: str, name: str) -> bytes:
    """All that comes; raises TimeoutError where it comes too slowly, and what the receiver met."""
    receiver, content, begun = Receiver(url), bytearray(), time.monotonic()
    receiver.start()
    try:
        with bar(f"downloading {name}") as shown:
            while piece := _next(receiver.pieces, begun + _seconds_for(len(content))):
                content += piece
                if len(content) > MAX_BYTES:
                    raise ValueError(f"it sends more than {MAX_BYTES >> 20} MiB")
                shown.advance(len(piece), receiver.total)
    finally:
        receiver.is_wanted = False
    return bytes(content)


def _seconds_for(size: int) -> float:
    """In which so many bytes, and the next one, have to be there."""
    return TIMEOUT_SECONDS + size / SLOWEST


def _next(pieces: SimpleQueue[bytes | Exception], deadline: float) -> bytes:
    left = deadline - time.monotonic()
    try:
        piece = pieces.get(timeout=max(left, 0))
    except Empty:
        piece = TimeoutError("it is too slow")
    if isinstance(piece, Exception):
        raise piece
    return piece
