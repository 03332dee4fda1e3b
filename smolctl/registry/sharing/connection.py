"""One client's connection to the registry: requests in, answers out, and an end to patience.

A connection has a thread, which waits: for the client, and for the disk. Files go from the page
cache to the socket without passing through this process (`sendfile`), so that many clients cost
little more than what the network takes.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import h11

from smolctl.registry.sharing.answer import Request, error

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.registry.sharing.answer import Answer, ReadOnlyRegistry, Taken

_MAXIMUM_HEAD = 16 * 1024
"""Bytes of a request's head that are kept for its end to come; `_READ` more may be there."""

_READ = 8 * 1024
_COMMON_HEADERS = (
    ("Docker-Distribution-API-Version", "registry/2.0"),
    # A layer may be anything, a page for browsers too.
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True)
class Patience:
    """How long a client is waited for, in seconds.

    `idle` for the next request, `head` for all of one that has begun, `stall` for a client that
    takes no bytes, `parting` for one that is still sending when it is hung up on.
    """

    idle: float = 75.0
    head: float = 15.0
    stall: float = 60.0
    parting: float = 1.0


class _Gone(Exception):
    """There is nothing more to be said on this connection."""


@dataclass(frozen=True)
class _Unread:
    """Stands for bytes that go to the socket without h11, which counts them."""

    count: int

    def __len__(self) -> int:
        return self.count


class Connection:
    """The connection at `stream`, served until either side has had enough.

    `sending` is called with what an answer gives away before its body goes, and returns what is
    to be called with the position and the number of the bytes that went.
    """

    def __init__(
        self,
        stream: socket.socket,
        registry: ReadOnlyRegistry,
        patience: Patience,
        sending: Callable[[Taken], Callable[[int, int], None] | None],
    ) -> None:
        self._socket = stream
        self._registry = registry
        self._patience = patience
        self._sending = sending
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAXIMUM_HEAD)

    def serve(self) -> None:
        """Answer requests, one after the other. The socket is closed at the end."""
        with self._socket, suppress(_Gone, OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                try:
                    request = self._request()
                except h11.RemoteProtocolError as failure:
                    self._refuse(failure)
                    break
                self._give(self._registry.answer(request), request)
                if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
                    break
                self._http.start_next_cycle()
            self._part()

    def _request(self) -> Request:
        deadline = None
        self._socket.settimeout(self._patience.idle)
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._http.next_event()  # its end, where it has no body: that is there already
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                return Request(event.method.decode(), event.target.decode("latin-1"), headers)
            if event is not h11.NEED_DATA:
                raise _Gone
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise _Gone
                self._socket.settimeout(left)
            self._http.receive_data(self._socket.recv(_READ))
            if deadline is None:
                deadline = time.monotonic() + self._patience.head

    def _refuse(self, failure: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            status = failure.error_status_hint
            self._give(error(status, "UNSUPPORTED", "not a request that is understood"), None)

    def _give(self, answer: Answer, request: Request | None) -> None:
        try:
            self._socket.settimeout(self._patience.stall)
            head = [*_COMMON_HEADERS, ("Date", formatdate(usegmt=True)), *answer.headers]
            if self._http.their_state is not h11.DONE:
                head.append(("Connection", "close"))  # a body is not waited for: nothing wants one
            reason = HTTPStatus(answer.status).phrase
            self._send(h11.Response(status_code=answer.status, headers=head, reason=reason))
            if request is None or request.method != "HEAD":
                self._send_body(answer)
            self._send(h11.EndOfMessage())
        finally:
            if answer.span is not None:
                answer.span.file.close()

    def _send_body(self, answer: Answer) -> None:
        done = self._sending(answer.taken) if answer.taken is not None else None
        if answer.span is None:
            if answer.body:
                self._send(h11.Data(data=answer.body))
            return
        span = answer.span
        try:
            if span.count:
                # h11 counts the bytes; they themselves do not pass through it.
                stand_in: Any = _Unread(span.count)
                self._http.send_with_data_passthrough(h11.Data(data=stand_in))
                if self._socket.sendfile(span.file, span.start, span.count) != span.count:
                    raise _Gone  # the file has become shorter, and its length is said already
        finally:
            if done is not None:  # also of a client that hung up: the file is where sending ended
                done(span.start, max(span.file.tell() - span.start, 0))

    def _send(self, event: h11.Event) -> None:
        content = self._http.send(event)
        if content:
            self._socket.sendall(content)

    def _part(self) -> None:
        """Hang up so that the last answer arrives: unread bytes would have the system drop it."""
        self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + self._patience.parting
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            if not self._socket.recv(_READ):
                return
