"""One HTTP request to a worker over its Unix socket, and the answer piece by piece.

A connection serves one request: making one costs little, and closing it is how a worker learns
that nobody wants the rest.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import h11

from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

_READ = 64 * 1024


class WorkerLost(NotRunnable):
    """A worker that cannot be reached, or that ended before its answer did."""

    def __init__(self) -> None:
        super().__init__(
            "the model's worker ended unexpectedly",
            hint="`smolctl model logs` shows what it said last.",
        )


class WorkerConnection:
    """A connection to a worker, for one request. Close it, whatever happened.

    `heard` is when something last came, by `time.monotonic`.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = time.monotonic()
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @classmethod
    async def open(cls, socket: Path) -> WorkerConnection:
        """Connect to the worker at `socket`. Raises `WorkerLost` when nobody listens there."""
        try:
            return cls(*await asyncio.open_unix_connection(socket))
        except OSError:
            raise WorkerLost from None

    async def ask(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
    ) -> h11.Response:
        """Send the request, and return the answer's head. Raises `WorkerLost`."""
        own = [(b"host", b"localhost"), (b"content-length", b"%d" % len(body))]
        request = h11.Request(method=method, target=target, headers=[*own, *headers])
        parts = (request, h11.Data(data=body), h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
        try:
            await self._writer.drain()
        except ConnectionError:
            raise WorkerLost from None
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return event

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the answer's body as it arrives. Raises `WorkerLost` when it breaks off."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    async def read(self) -> bytes:
        """Return the whole body. Raises `WorkerLost` when it breaks off."""
        return b"".join([piece async for piece in self.pieces()])

    def close(self) -> None:
        """Break the connection off: a worker that still generates for it stops."""
        self._writer.transport.abort()

    async def _next(self) -> h11.Event:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ))
                self.heard = time.monotonic()
        except (ConnectionError, h11.RemoteProtocolError):
            raise WorkerLost from None
        if isinstance(event, (type, h11.ConnectionClosed)):
            raise WorkerLost
        return event
