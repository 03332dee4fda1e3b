"""A registry that holds every TCP connection to a rate, and counts the weights it sends.

It runs in a process of its own, so that it shares neither a processor's turn nor an interpreter
with whoever measures. The rate belongs to the connection, not to the request: one connection
gets no more by asking again and again.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from smolctl.model.manifest import MANIFEST_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from benchmarks.published import Published

_SLICE = 128 * 1024
_SLACK = 0.02
"""Seconds that a connection may catch up after the system woke its thread late."""

_HEX = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Throttled:
    """The running server: where it is, and what it has sent."""

    host: str
    counter: Any
    busy: Any

    @property
    def sent(self) -> int:
        """Bytes of the weights that were handed to the network so far, repeated ones included."""
        return int(self.counter.value)

    def settled(self) -> int:
        """Return `sent` after every answer that is under way has ended or was broken off."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self.busy.value:
            if time.monotonic() > deadline:
                raise TimeoutError("the throttled registry is still sending to somebody")
            time.sleep(0.005)
        return self.sent


@contextmanager
def throttled(published: Published, rate: float) -> Iterator[Throttled]:
    """Serve `published` on a free loopback port, `rate` bytes a second for each connection."""
    context = multiprocessing.get_context("spawn")
    content = _Content(
        published.store.root / "blobs" / "sha256",
        {tag: digest.hex for tag, digest in published.tags.items()},
        published.weights.digest.hex,
    )
    sent, busy = context.Value("q", 0), context.Value("q", 0)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(content, rate, sent, busy, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Throttled(f"127.0.0.1:{ours.recv()}", sent, busy)
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True)
class _Content:
    """Files named by their SHA-256 in `folder`; `tags` and `weights` are such names too."""

    folder: Path
    tags: dict[str, str]
    weights: str


def _serve(content: _Content, rate: float, sent: Any, busy: Any, ready: Connection) -> None:
    members = {"content": content, "rate": rate, "sent": sent, "busy": busy}
    server = _Server(("127.0.0.1", 0), type("_BoundHandler", (_Handler,), members))
    ready.send(server.server_port)
    server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients are killed on purpose; anything else is a bug in this file.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One TCP connection, with all its requests."""

    content: _Content
    rate: float
    sent: Any
    busy: Any
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each small answer waits for an acknowledgement

    def setup(self) -> None:
        super().setup()
        self._due = time.monotonic()

    def do_GET(self) -> None:
        # A client that is killed is what some of the measurements are about.
        with suppress(ConnectionError):
            self._answer()
            return
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args

    def _answer(self) -> None:
        kind, _, name = self.path.removeprefix("/v2/").rpartition("/")
        if self.path == "/v2/":
            self._head(HTTPStatus.OK, 0)
            return
        is_manifest = kind.endswith("/manifests")
        name = self.content.tags.get(name, name) if is_manifest else name
        digest = name.removeprefix("sha256:")
        path = self.content.folder / digest
        if _HEX.fullmatch(digest) is None or not path.exists():
            self._head(HTTPStatus.NOT_FOUND, 0)
            return
        file = os.open(path, os.O_RDONLY)
        try:
            self._send_file(file, digest, MANIFEST_TYPE if is_manifest else "")
        finally:
            os.close(file)

    def _send_file(self, file: int, digest: str, media_type: str) -> None:
        size = os.fstat(file).st_size
        headers = {
            "Content-Type": media_type or "application/octet-stream",
            "Docker-Content-Digest": f"sha256:{digest}",
            "Accept-Ranges": "bytes",
            "ETag": f'"{digest}"',
        }
        first, end, status = 0, size, HTTPStatus.OK
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is not None and asked[0] != "bytes=-":
            first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
            end = min(int(asked[2]) + 1, size) if asked[1] and asked[2] else size
            if first >= end:
                self._head(
                    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                    0,
                    {"Content-Range": f"bytes */{size}"},
                )
                return
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        self._head(status, end - first, headers)
        if self.command == "GET":
            counted = digest == self.content.weights
            with _counted(self.busy):
                self._send_slices(file, first, end, counted=counted)

    def _head(self, status: int, length: int, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {**(headers or {}), "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_slices(self, file: int, first: int, end: int, *, counted: bool) -> None:
        while first < end:
            now = time.monotonic()
            if self._due > now:
                time.sleep(self._due - now)
            # What was not sent in time is lost, but for a little: idling earns no burst.
            self._due = max(self._due, now - _SLACK)
            count = os.sendfile(self.connection.fileno(), file, first, min(_SLICE, end - first))
            if not count:
                raise ConnectionError("the file is shorter than it was")
            first += count
            self._due += count / self.rate
            if counted:
                with self.sent.get_lock():
                    self.sent.value += count


@contextmanager
def _counted(counter: Any) -> Iterator[None]:
    with counter.get_lock():
        counter.value += 1
    try:
        yield
    finally:
        with counter.get_lock():
            counter.value -= 1
