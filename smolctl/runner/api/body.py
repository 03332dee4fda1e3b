"""The body of a request, to a worker or to the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.runner.api.failure import BodyTooLarge

if TYPE_CHECKING:
    from starlette.types import Receive


MAXIMUM_BODY = 32 * 1024 * 1024
"""Bytes in the largest body: more text than any context holds."""


class ClientGone(Exception):
    """The client hung up before its request was whole."""


async def read_body(receive: Receive, most: int = MAXIMUM_BODY) -> bytes:
    """Return the body of a request. Raises `BodyTooLarge`, and `ClientGone`.

    Of one that is too large, as much again is read: a client that is still sending when the
    connection is closed may not get to read why.
    """
    pieces: list[bytes] = []
    size = 0
    more = True
    while more and size <= 2 * most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size <= most:
            pieces.append(message.get("body", b""))
        else:
            pieces.clear()
    if size > most:
        raise BodyTooLarge(f"the request's body is larger than {most} bytes")
    return b"".join(pieces)
