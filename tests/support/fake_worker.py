"""A worker that does what the test tells it, to see what is made of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.worker_status import Worker
    from smolctl.store.store import StoredModel


@dataclass(frozen=True)
class Asked:
    """A request that came, as it was."""

    line: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[socket.socket, Asked], None]
"""What to do with a connection whose request is here; it is closed afterwards."""


class FakeWorker:
    """Listens on a Unix socket; each connection gets the next script, the last one stays.

    Use it as a context manager.
    """

    def __init__(self, path: Path, *scripts: Script) -> None:
        self.path = path
        self.asked: list[Asked] = []
        self._scripts = list(scripts)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def __enter__(self) -> FakeWorker:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                threading.Thread(target=self._serve, args=(connection, script), daemon=True).start()

    def _serve(self, connection: socket.socket, script: Script) -> None:
        with connection, suppress(OSError):
            asked = _read(connection)
            self.asked.append(asked)
            script(connection, asked)


def _read(connection: socket.socket) -> Asked:
    file = connection.makefile("rb")
    line = file.readline().decode().strip()
    headers = {}
    while name := file.readline().strip():
        key, _, value = name.decode().partition(":")
        headers[key.lower()] = value.strip()
    return Asked(line, headers, file.read(int(headers.get("content-length", 0))))


def answering(
    body: bytes, status: str = "200 OK", content_type: str = "application/json"
) -> Script:
    """Answer with a whole document."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"

    def script(connection: socket.socket, _: Asked) -> None:
        connection.sendall(f"{head}\r\nServer: none\r\nX-Own: yes\r\n\r\n".encode() + body)

    return script


def dying(connection: socket.socket, _: Asked) -> None:
    """End without a word."""
    del connection


class Hanging:
    """Says nothing until `over` is set: a worker that is stopped, or stuck."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, *_: object) -> None:
        self.over.wait(30)


def streaming(*steps: bytes | Callable[[], object], ending: bool = True) -> Script:
    """Stream events; a step that is no bytes is called. Without an ending it breaks off."""

    def script(connection: socket.socket, _: Asked) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(b"%x\r\n%s\r\n" % (len(step), step))
            else:
                step()
        if ending:
            connection.sendall(b"0\r\n\r\n")

    return script


@dataclass
class HangUp:
    """Streams one event, and sets `noticed` when the other side has closed the connection."""

    event: bytes = b"data: 1\n\n"
    noticed: threading.Event = field(default_factory=threading.Event)

    def __call__(self, connection: socket.socket, asked: Asked) -> None:
        streaming(self.event, ending=False)(connection, asked)
        connection.settimeout(30)
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
        self.noticed.set()


class FakeWorkers:
    """What the gateway knows as its workers. `start` says where a model's worker is.

    They can have a context of `room` tokens. `obtained` are the names of the models that were
    asked for.
    """

    headers = {"X-Smolctl-Expect": "what it expects", "X-Smolctl-Keep-Alive": "60"}  # noqa: RUF012

    def __init__(self, start: Callable[[str], Path]) -> None:
        self.start = start
        self.obtained: list[str] = []
        self.room = 0
        self.unloaded: list[Any] = []
        self.list: list[Worker] = []

    def obtain(self, model: StoredModel, name: str) -> Path:
        del model
        self.obtained.append(name)
        return self.start(name)

    def make_room(self, model: StoredModel, name: str, tokens: int) -> bool:
        del model, name
        return tokens <= self.room

    def running(self) -> Sequence[Worker]:
        return self.list

    def unload(self, model_ids: Sequence[str] | None) -> int:
        self.unloaded.append(model_ids)
        return 1
