"""A small HTTP client for workers and gateways: a connection for each request, and nothing else.

`http.client` takes longer to import than a worker takes to answer. Requests are HTTP/1.0, so that
an answer's body ends where its length or the connection does, and never comes in chunks.
"""

from __future__ import annotations

import json
import math
import select
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_MAXIMUM_LINE = 16 * 1024 * 1024
_MAXIMUM_HEADERS = 100
_MAXIMUM_BODY = 64 * 1024 * 1024
_DEFAULT_PORT = 12434
_CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 5.0
"""After so long without a byte, it is worth a question whether the other side still works."""

_SIGNAL_SECONDS = 0.2
_CHUNK = 64 * 1024


class ConnectionLost(NotRunnable):
    """The other side is not there, or went away in the middle. `begun`: it had begun to answer."""

    def __init__(self, message: str, *, begun: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.begun = begun


class Endpoint(NamedTuple):
    """Where requests go: to a worker's socket at `path`, or a gateway's `host` and `port`."""

    path: Path | None = None
    host: str = "localhost"
    port: int = _DEFAULT_PORT
    tls: bool = False
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Return what `SMOLCTL_HOST` says: a URL, `host:port` or a host. Raises `UsageError`."""
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "http", text
        authority, _, path = rest.partition("/")
        host, colon, port = authority.rpartition(":")
        if not colon or port.endswith("]"):
            default = {"http": _DEFAULT_PORT if not separator else 80, "https": 443}
            host, port = authority, str(default.get(scheme, 0))
        number = int(port) if port.isascii() and port.isdigit() else 0
        host = host.strip("[]")
        if scheme not in ("http", "https") or not host or not 0 < number < 65536 or "@" in host:
            raise UsageError(
                f"SMOLCTL_HOST is {text!r}", hint="It is a URL or an address: 127.0.0.1:12434"
            )
        # The base URL of OpenAI's clients is as good: `/v1` is a part of the paths here.
        path = path.rstrip("/").removesuffix("v1").rstrip("/")
        prefix = f"/{path}" if path else ""
        return cls(None, host, number, scheme == "https", prefix)

    @property
    def name(self) -> str:
        """The `Host` header."""
        if self.path is not None:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def request(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_silence: Callable[[], object] = lambda: None,
    ) -> Response:
        """Send a request with `body` as JSON, and return the response when its headers are here.

        `timeout` bounds each wait for the other side, in seconds. `on_silence` is called whenever
        nothing came for `SILENCE_SECONDS`, also while the response is read; what it raises ends
        the wait. Raises `ConnectionLost`.
        """
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{self.head(method, target, headers or {})}{len(content)}\r\n\r\n"
        begun = False
        with ExitStack() as undo:
            connection = undo.enter_context(self._connected())
            try:
                connection.settimeout(timeout)
                connection.sendall(head.encode("latin-1") + content)
                reader = _Reader(connection, timeout, on_silence)
                first = reader.line()
                begun = bool(first)
                response = _response(connection, reader, first)
            except OSError as error:
                raise ConnectionLost(f"{self} went away: {error}", begun=begun) from error
            undo.pop_all()
        return response

    def head(self, method: str, target: str, headers: Mapping[str, str]) -> str:
        """Return a request's head, up to where the length of its content in bytes goes."""
        lines = [
            f"{method} {self.prefix}{target} HTTP/1.0",
            f"Host: {self.name}",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in headers.items()),
            "Content-Length: ",
        ]
        return "\r\n".join(lines)

    def peer(self) -> int | None:
        """Return the process that listens at the worker's socket; None where that is not known."""
        if sys.platform == "linux":
            level, option = socket.SOL_SOCKET, socket.SO_PEERCRED
        elif sys.platform == "darwin":
            level, option = 0, 2  # SOL_LOCAL and LOCAL_PEERPID, sys/un.h
        else:
            return None
        try:
            with self._connected() as connection:
                credentials = connection.getsockopt(level, option, 4)
        except (OSError, ConnectionLost):
            return None
        return int.from_bytes(credentials, sys.byteorder)

    def _connected(self) -> socket.socket:
        try:
            if self.path is None:
                address = (self.host, self.port)
                connection = socket.create_connection(address, timeout=_CONNECT_SECONDS)
                return self._secured(connection) if self.tls else connection
            with ExitStack() as undo:
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                undo.enter_context(made).connect(str(self.path))
                undo.pop_all()
            return made
        except OSError as error:
            reason = error.strerror or error
            raise ConnectionLost(f"{self} cannot be reached: {reason}", begun=False) from error

    def _secured(self, connection: socket.socket) -> socket.socket:
        import ssl

        return ssl.create_default_context().wrap_socket(connection, server_hostname=self.host)

    def __str__(self) -> str:
        return "the model's process" if self.path is not None else f"the server at {self.name}"


class Response:
    """A response whose body is still to be read. Closing it hangs up."""

    def __init__(self, status: int, connection: socket.socket, reader: _Reader) -> None:
        self.status = status
        self._connection = connection
        self._reader = reader

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Whoever still answers notices."""
        self._connection.close()

    def json(self) -> Any:
        """Return the body as JSON; None when it is none. Raises `ConnectionLost`."""
        body = bytearray()
        with _lost():
            while len(body) < _MAXIMUM_BODY and (line := self._reader.line()):
                body += line
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return None

    def events(self) -> Iterator[str]:
        """Yield the data of the server-sent events. Raises `ConnectionLost`.

        Source: HTML standard, "Server-sent events"; events of one `data` line, which all are.
        """
        with _lost():
            while line := self._reader.line():
                if line.startswith(b"data:"):
                    yield line[5:].strip().decode(errors="replace")

    def wait_for_end(self, seconds: float) -> bool:
        """Wait until the other side hangs up, and return whether it did."""
        self._reader.timeout = seconds
        try:
            while self._reader.line():
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


class _Reader:
    """Reads lines from a socket. Raises `TimeoutError` when nothing comes for `timeout` seconds.

    It never waits for long at a time: a signal that comes just before a wait would not end it.
    """

    def __init__(
        self,
        connection: socket.socket,
        timeout: float | None,
        on_silence: Callable[[], object] = lambda: None,
    ) -> None:
        self.timeout = timeout
        self._on_silence = on_silence
        self._connection = connection
        self._buffer = bytearray()
        self._ended = False

    def line(self) -> bytes:
        """Return the next line with its end, or what there is of it; nothing at the end."""
        searched = 0
        while not self._ended and len(self._buffer) < _MAXIMUM_LINE:
            found = self._buffer.find(b"\n", searched)
            if found >= 0:
                return self._take(found + 1)
            searched = len(self._buffer)
            self._fill()
        found = self._buffer.find(b"\n")
        return self._take(found + 1 if found >= 0 else len(self._buffer))

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self) -> None:
        left = math.inf if self.timeout is None else self.timeout
        silence = 0.0
        while not self._is_readable(min(_SIGNAL_SECONDS, left)):
            left -= _SIGNAL_SECONDS
            if left <= 0:
                raise TimeoutError("it does not answer")
            silence += _SIGNAL_SECONDS
            if silence >= SILENCE_SECONDS:
                self._on_silence()
                silence = 0.0
        piece = self._connection.recv(_CHUNK)
        self._ended = not piece
        self._buffer += piece

    def _is_readable(self, seconds: float) -> bool:
        pending = getattr(self._connection, "pending", None)
        if pending is not None and pending() > 0:  # what TLS has decrypted already
            return True
        return is_readable(self._connection.fileno(), seconds)


def is_readable(handle: int, seconds: float) -> bool:
    """Wait until there is something to read at `handle`, or its end, and return whether there is.

    By `poll`: `select` fails for descriptors from 1,024 on, which a gateway may come to have.
    """
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConnectionLost(f"the connection was lost: {error}", begun=True) from error


def _response(connection: socket.socket, reader: _Reader, first: bytes) -> Response:
    """Read a response's headers. Raises `OSError` when that is no HTTP response."""
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise OSError("it did not answer" if not first else "its answer is not HTTP")
    for _ in range(_MAXIMUM_HEADERS):
        line = reader.line()
        if line in (b"\r\n", b"\n"):
            return Response(int(words[1]), connection, reader)
        if not line:
            break
    raise OSError("its answer broke off")
