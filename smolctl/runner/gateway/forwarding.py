"""Requests to models: each goes to its model's worker, and the answer comes back as it arrives."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from smolctl.errors import InvalidReference, NotRunnable, PromptTooLong, SmolctlError
from smolctl.runner.api.body import ClientGone, read_body
from smolctl.runner.api.service import MODEL_ID_HEADER
from smolctl.runner.api_errors import api_error
from smolctl.runner.connection import SILENCE_SECONDS
from smolctl.runner.expectation import KEEP_ALIVE_HEADER, WORKER_DIFFERS
from smolctl.runner.fields import Fields, InvalidField, parse_body
from smolctl.runner.gateway.failure import gateway_failure, response
from smolctl.runner.gateway.request_log import MODEL
from smolctl.runner.gateway.threads import in_thread
from smolctl.runner.gateway.worker_connection import WorkerConnection, WorkerLost
from smolctl.runner.workers import check_answers

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path

    import h11
    from starlette.types import Receive, Scope, Send

    from smolctl.runner.gateway.metrics import Counted, Metrics
    from smolctl.runner.gateway.routing import Route, Router

_T = TypeVar("_T")

OPERATIONS = ("chat/completions", "completions", "embeddings")

_Headers = dict[bytes, bytes]

_ATTEMPTS = 2
_MODEL_ID = MODEL_ID_HEADER.encode()
_PASSED_ON = frozenset(
    {
        *(b"content-type", b"accept", b"user-agent", b"x-request-id"),
        KEEP_ALIVE_HEADER.lower().encode(),
    }
)
"""Of a request's headers. The key is the gateway's, and no worker's business."""

_NOT_PASSED_BACK = frozenset(
    # RFC 9110, section 7.6.1, and what is said anew.
    {
        *(b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-connection", b"content-length", b"date", b"server"),
    }
)


class Forwarding:
    """The ASGI application of one of `OPERATIONS`."""

    def __init__(
        self, operation: str, router: Router, metrics: Metrics, headers: Mapping[str, str]
    ) -> None:
        self._operation = operation
        self._router = router
        self._metrics = metrics
        self._headers = {name.lower().encode(): text.encode() for name, text in headers.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. When the client hangs up, so does this on the worker, at once."""
        with self._metrics.request(self._operation) as counted:
            try:
                body = await read_body(receive)
            except ClientGone:
                return
            except SmolctlError as error:
                await _fail(error, scope, receive, send, counted)
                return
            # What `receive` gives from here on is that the client has hung up.
            hung_up = asyncio.create_task(_hung_up(receive))
            answering = asyncio.create_task(self._answer(body, scope, receive, send, counted))
            try:
                await asyncio.wait({hung_up, answering}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                hung_up.cancel()
                answering.cancel()  # does nothing to one that is done
                with suppress(asyncio.CancelledError):
                    await answering

    async def _answer(
        self, body: bytes, scope: Scope, receive: Receive, send: Send, counted: Counted
    ) -> None:
        given = {name: text for name, text in scope["headers"] if name in _PASSED_ON}
        headers = {**self._headers, **given}
        try:
            name = scope[MODEL] = Fields(parse_body(body)).required_text("model")
            await self._forward(name, headers, body, send, counted)
        except InvalidReference as error:
            await _fail(InvalidField("model", error.message), scope, receive, send, counted)
        except SmolctlError as error:
            await _fail(error, scope, receive, send, counted)

    async def _forward(
        self, name: str, headers: _Headers, body: bytes, send: Send, counted: Counted
    ) -> None:
        """Have a worker answer. Raises `SmolctlError` only while nothing was passed on."""
        for attempt in range(_ATTEMPTS):
            route = await self._router.find(name)
            last = attempt + 1 == _ATTEMPTS
            try:
                await self._relay(route, None if last else name, headers, body, send, counted)
            except WorkerLost:
                # It may have left for being idle just now, or has crashed: a fresh one is tried,
                # once, because a request that crashes workers would go on doing so.
                self._router.failed(route)
                if last:
                    raise
            else:
                return

    async def _relay(
        self,
        route: Route,
        name: str | None,
        headers: _Headers,
        body: bytes,
        send: Send,
        counted: Counted,
    ) -> None:
        """Pass a worker's answer on. Raises `WorkerLost` only while nothing was passed on.

        Also where the model called `name` was loaded anew for a prompt that was too long.
        """
        named = [*headers.items(), (_MODEL_ID, route.model_id.encode())]
        connection = await WorkerConnection.open(route.socket)
        try:
            watched = partial(_watched, connection, route.socket)
            asking = connection.ask("POST", f"/v1/{self._operation}", named, body)
            head = await watched(asking)
            kept = [header for header in head.headers if header[0] not in _NOT_PASSED_BACK]
            if not _is_stream(head):
                content = await watched(connection.read())
                if head.status_code == 409 and WORKER_DIFFERS.encode() in content:
                    raise WorkerLost
                tokens = _too_long(content) if head.status_code == 400 else None
                if name is not None and tokens and await self._router.make_room(name, tokens + 1):
                    raise WorkerLost
                kept.append((b"content-length", b"%d" % len(content)))
                counted.answered(head.status_code)
                await send(_start(head.status_code, kept))
                await send(_piece(content, more=False))
                return
            counted.answered(head.status_code)
            await send(_start(head.status_code, kept))
            try:
                await watched(_pass_events(connection, send))
            except NotRunnable as error:
                self._router.failed(route)
                document = json.dumps(gateway_failure(error).document)
                await send(_piece(f"data: {document}\n\n".encode(), more=False))
        finally:
            connection.close()


async def _watched(connection: WorkerConnection, socket: Path, work: Coroutine[Any, Any, _T]) -> _T:
    """Return what `work` does with `connection`. Raises `NotRunnable` for a worker that hangs.

    One that works may say nothing for long, and answers other questions meanwhile.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=SILENCE_SECONDS))[0]:
            if time.monotonic() - connection.heard >= SILENCE_SECONDS:
                await in_thread(partial(check_answers, socket))
        return task.result()
    finally:
        task.cancel()


async def _pass_events(connection: WorkerConnection, send: Send) -> None:
    """Pass on server-sent events as they come, none in part: the next may be of our own."""
    rest = b""
    async for piece in connection.pieces():
        events, end, rest = (rest + piece).rpartition(b"\n\n")
        if end:
            await send(_piece(events + end, more=True))
    await send(_piece(rest, more=False))


async def _fail(
    error: SmolctlError, scope: Scope, receive: Receive, send: Send, counted: Counted
) -> None:
    failure = gateway_failure(error)
    counted.answered(failure.status)
    await response(failure)(scope, receive, send)


def _too_long(content: bytes) -> int | None:
    """Return the tokens of a prompt that a worker refuses as too long; None for anything else."""
    try:
        error = api_error(400, json.loads(content), "the worker")
    except (ValueError, RecursionError):
        return None
    return error.prompt_tokens if isinstance(error, PromptTooLong) else None


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _is_stream(head: h11.Response) -> bool:
    types = (text for name, text in head.headers if name == b"content-type")
    return next(types, b"").startswith(b"text/event-stream")


def _start(status: int, headers: list[tuple[bytes, bytes]]) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _piece(content: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": more}
