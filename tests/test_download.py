"""Finding and fetching a text, against a server on this machine."""

import dataclasses
import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.data import fetch
from rnnlab.data.sources.download import Download, find

pytestmark = pytest.mark.attack(12, "servers that dawdle, lie or send too much")

CONTENT = b"The Time Traveller (for so it will be convenient to speak of him)\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """Serves CONTENT at /good.txt, other bytes at /bad.txt, and 404 elsewhere."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            pages = {"/good.txt": CONTENT, "/bad.txt": b"something else"}
            body = pages.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def dataset(compose) -> Download:
    composed = compose("dataset=time_machine").dataset
    assert isinstance(composed, Download)
    return dataclasses.replace(composed, sha256=SHA256, file="text.txt", urls=())


def found(source: Download) -> Path:
    """As a command that was typed finds it."""
    source.fetch()
    path = find(source)
    assert path
    return path


def test_a_download_is_placed_in_the_cache_and_found_again(dataset, server, tmp_path):
    path = found(dataclasses.replace(dataset, urls=(f"{server}/good.txt",)))
    assert path == tmp_path / "cache" / "rnnlab" / "text.txt"
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert found(dataset) == path  # without any server


def test_the_next_mirror_is_tried(dataset, server, tmp_path):
    urls = (
        f"{server}/missing.txt",
        f"{server}/bad.txt",
        "http://127.0.0.1:9/x.txt",
        f"{server}/good.txt",
    )
    path = found(dataclasses.replace(dataset, urls=urls, root=str(tmp_path / "root")))
    assert path == tmp_path / "root" / "text.txt"


def test_a_wrong_download_is_refused_and_leaves_nothing(dataset, server, tmp_path):
    with pytest.raises(ConfigError, match=f"what it sends has SHA-256 .* not {SHA256}"):
        found(dataclasses.replace(dataset, urls=(f"{server}/bad.txt",)))
    assert not list((tmp_path / "cache").rglob("*.txt"))


def test_without_network_the_sentence_says_what_was_tried_and_what_to_type(dataset):
    dead = dataclasses.replace(dataset, urls=("http://127.0.0.1:9/text.txt",))
    with pytest.raises(ConfigError) as caught:
        found(dead)
    for part in ("http://127.0.0.1:9/text.txt", "refused", "dataset.root=FOLDER", "dataset=sample"):
        assert part in str(caught.value)


def test_folders_are_looked_through_in_order(dataset, tmp_path, monkeypatch):
    folders = {name: tmp_path / name for name in ("root", "env")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "text.txt").write_bytes(CONTENT)
    monkeypatch.setenv("RNNLAB_DATA", str(folders["env"]))
    assert found(dataset) == folders["env"] / "text.txt"
    rooted = dataclasses.replace(dataset, root=str(folders["root"]))
    assert found(rooted) == folders["root"] / "text.txt"


def test_a_file_of_the_right_name_but_other_content_is_refused(dataset, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"not it")
    with pytest.raises(ConfigError, match=r"remove it, or train on it with dataset=text"):
        found(dataclasses.replace(dataset, root=str(tmp_path)))


def test_the_real_corpus_is_what_the_config_says(compose, time_machine_folder):
    known = compose("dataset=time_machine", f"dataset.root={time_machine_folder}").dataset
    assert found(known) == Path(time_machine_folder) / "timemachine.txt"


@pytest.mark.parametrize("target", ["file:///etc/hostname", "https://127.0.0.1:1/good.txt"])
def test_a_redirect_to_another_scheme_is_refused(dataset, target):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()

        def log_message(self, format, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/text.txt"
        with pytest.raises(ConfigError, match="redirect"):
            found(dataclasses.replace(dataset, urls=(url,)))
        thread.join()


def test_only_http_and_https_are_fetched(dataset):
    with pytest.raises(ConfigError, match="only http and https"):
        found(dataclasses.replace(dataset, urls=("file:///etc/hostname",)))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "..", ""])
def test_a_file_name_with_a_folder_is_refused(dataset, name):
    with pytest.raises(ConfigError, match="it is the name of a file"):
        dataclasses.replace(dataset, file=name)


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50


@contextmanager
def dripping(at_once: bytes, slowly: bytes) -> Iterator[str]:
    """A server that answers with a part at once, and then with a byte each 20 ms."""
    gone = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.recv(4096)
            connection.sendall(at_once)
            for byte in slowly:
                if gone.wait(0.02):
                    break
                connection.sendall(bytes([byte]))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/text.txt"
        gone.set()
        thread.join()


@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        (HEADERS, CONTENT * 10),
        (b"", HEADERS),
        (b"", LINES),  # headers without an end
        (CHUNKED, b"1\r\na\r\n" * 50),
        (CHUNKED, b"0" * 500),  # the length of a chunk, without an end
    ],
)
def test_a_download_that_comes_byte_by_byte_is_given_up(dataset, monkeypatch, at_once, slowly):
    """No single wait is long: what is measured is how much has come in all."""
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.3)
    begun = time.monotonic()
    with dripping(at_once, slowly) as url, pytest.raises(ConfigError, match="it is too slow"):
        found(dataclasses.replace(dataset, urls=(url,)))
    assert time.monotonic() - begun < 1


def test_a_download_may_take_the_longer_the_more_has_come(dataset, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(fetch, "SLOWEST", 10)  # the server sends 50 bytes a second
    with dripping(HEADERS, CONTENT) as url:
        path = found(dataclasses.replace(dataset, urls=(url,)))
    assert path.read_bytes() == CONTENT


def test_a_download_without_end_is_given_up(dataset, server, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_BYTES", 10)
    with pytest.raises(ConfigError, match="it sends more than"):
        found(dataclasses.replace(dataset, urls=(f"{server}/good.txt",)))


def test_a_name_is_shown_as_it_is(dataset, server, capsys):
    name = "a[b]\x1b[2J.txt"
    found(dataclasses.replace(dataset, file=name, urls=(f"{server}/good.txt",)))
    assert "downloading a[b]\\x1b[2J.txt" in capsys.readouterr().out
