"""A note of each request that was answered, for whoever watches the gateway."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.runner.api.exchange import CLIENT_GONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MODEL = "smolctl.model"
"""Where, in a request's scope, the name of the model is that was asked for."""

_UNTOLD = frozenset({"/health", "/metrics"})
"""What a supervisor asks for, over and over."""


@dataclass(frozen=True)
class Answered:
    """A request that is over: no headers, no query and no text, which may be secret."""

    peer: str
    method: str
    path: str
    status: int
    seconds: float
    model: str | None


class RequestLog:
    """Has `app` answer, and tells of each request when its answer has ended."""

    def __init__(self, app: ASGIApp, tell: Callable[[Answered], None]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in _UNTOLD:
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), CLIENT_GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            peer = (scope.get("client") or ("-",))[0]
            seconds = time.monotonic() - began
            model = scope.get(MODEL)
            self._tell(Answered(peer, scope["method"], scope["path"], status, seconds, model))
