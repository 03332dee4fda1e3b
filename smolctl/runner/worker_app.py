"""What a worker's socket serves: the model's API, and the worker's own two endpoints.

`GET /worker` says how the worker is. `POST /worker/unload` has it leave, once the requests under
way have ended; with `?idle` only if there are none (409 otherwise). Its answer ends when the
process does: who waits for that knows that the memory is free.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from smolctl.errors import UsageError
from smolctl.runner.expectation import (
    EXPECT_HEADER,
    KEEP_ALIVE_HEADER,
    WORKER_DIFFERS,
    Expectation,
)
from smolctl.settings import keep_alive_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from smolctl.runner.lifetime import Lifetime
    from smolctl.runner.worker_status import Worker

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_KEEP_ALIVE = KEEP_ALIVE_HEADER.lower().encode()
_EXPECT = EXPECT_HEADER.lower().encode()


class WorkerApp:
    """The ASGI application of a worker, around the `api` of its model."""

    def __init__(self, api: App, lifetime: Lifetime, status: Callable[[], Worker]) -> None:
        self._api = api
        self._lifetime = lifetime
        self._status = status
        self.farewells = 0  # connections that wait for the process to end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if path == "/worker" or path.startswith("/worker/"):
            await self._serve_own(scope, send)
            return
        headers = dict(scope["headers"])
        try:
            refusal = self._refusal(headers.get(_EXPECT))
            keep_alive = _keep_alive(headers.get(_KEEP_ALIVE))
        except (UsageError, ValueError, RecursionError) as error:
            await _answer(send, 400, _error(str(error), "invalid_request_error"))
            return
        if refusal is not None:
            await _answer(send, 409, _error(refusal, "server_error", WORKER_DIFFERS))
            return
        with self._lifetime.request(keep_alive):
            await self._api(scope, receive, send)

    async def _serve_own(self, scope: Scope, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "GET", "/worker":
                await _answer(send, 200, self._status().as_json())
            case "POST", "/worker/unload":
                await self._unload(send, only_idle=scope["query_string"] == b"idle")
            case _:
                await _answer(send, 404, _error("no such endpoint", "invalid_request_error"))

    async def _unload(self, send: Send, *, only_idle: bool) -> None:
        if only_idle and self._lifetime.busy:
            await _answer(send, 409, _error("the model is busy", "server_error", "busy"))
            return
        self.farewells += 1
        self._lifetime.leave()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = json.dumps({"pid": self._status().pid}).encode() + b"\n"
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.Event().wait()

    def _refusal(self, header: bytes | None) -> str | None:
        if header is None:
            return None
        status = self._status()
        expected = Expectation.parse(json.loads(header))
        difference = expected.difference(status.version, status.options)
        return None if difference is None else f"the model's worker has {difference}"


def _keep_alive(header: bytes | None) -> float | None:
    if header is None:
        return None
    return keep_alive_seconds(header.decode("latin-1"), KEEP_ALIVE_HEADER)


def _error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


async def _answer(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
