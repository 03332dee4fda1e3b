"""One request and its response over ASGI: the body in, JSON or a stream of events out.

Sources: the ASGI specification ("HTTP & WebSocket", version 2), and for the events the HTML
standard's "Server-sent events".
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from smolctl.runner.api.body import ClientGone, read_body
from smolctl.runner.api.failure import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

CLIENT_GONE = 499
"""What a request counts as when its client did not wait for the response (nginx's number)."""

_JSON = (b"content-type", b"application/json")
_EVENTS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would wait for more otherwise
]


class Exchange:
    """A request, and the response to it while it is made. `status` is None before it begins.

    `gone` says that the client has hung up; it is noticed once the body was read.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.status: int | None = None
        self.gone = False
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._send = send
        self._streams = False
        self._heard_out = False
        self._watcher: asyncio.Task[None] | None = None
        self._when_gone: Callable[[], object] | None = None

    def header(self, name: str) -> str | None:
        """Return the request's first header called `name`, which is in lower case."""
        wanted = name.encode()
        found = (value for key, value in self._headers if key == wanted)
        return next((value.decode("latin-1") for value in found), None)

    async def body(self, when_gone: Callable[[], object] | None = None) -> bytes:
        """Return the request's body; `when_gone` is called if the client hangs up afterwards.

        Empty where it has already. Raises `BodyTooLarge`.
        """
        self._when_gone = when_gone
        try:
            body = await read_body(self._receive)
        except ClientGone:
            self._leave()
            return b""
        self._heard_out = True
        self._watcher = asyncio.create_task(self._watch())
        return body

    async def send_json(
        self, document: Any, status: int = 200, retry_after: int | None = None
    ) -> None:
        """Send the whole response."""
        content = dumps(document).encode()
        headers = [_JSON, (b"content-length", str(len(content)).encode())]
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
        if not self._heard_out:  # or the server would go on reading
            headers.append((b"connection", b"close"))
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": content})

    async def open_stream(self, events: bytes) -> None:
        """Begin a stream of events with the first of them, each `data: …` and an empty line."""
        self._streams = True
        await self._start(200, _EVENTS)
        await self.write(events)

    async def write(self, events: bytes) -> None:
        """Send events of the stream; returns when there is room for more."""
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

    async def end_stream(self, events: bytes) -> None:
        """Send the last events of the stream."""
        await self._send({"type": "http.response.body", "body": events})

    async def fail(self, error: Exception) -> None:
        """Tell the client of `error`: with a status, or as the last event of a stream."""
        failure = failure_of(error)
        if self._streams:
            await self.end_stream(event(failure.document))
        elif self.status is None:
            await self.send_json(failure.document, failure.status, failure.retry_after)

    def close(self) -> None:
        """Stop watching the client."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _watch(self) -> None:
        """Wait until the client hangs up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.gone = True
        if self._when_gone is not None:
            self._when_gone()


def dumps(value: Any) -> str:
    """Return `value` as compact JSON in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def event(document: Any) -> bytes:
    """Return `document` as an event of a stream."""
    return f"data: {dumps(document)}\n\n".encode()
