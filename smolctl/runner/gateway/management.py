"""Managing models over HTTP, at the addresses that Docker Model Runner has for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from smolctl.errors import UsageError
from smolctl.model.units import format_time
from smolctl.runner.api.body import read_body
from smolctl.runner.api.failure import Failure
from smolctl.runner.api.metrics import CONTENT_TYPE
from smolctl.runner.fields import Fields, InvalidField, parse_body
from smolctl.runner.gateway.failure import response
from smolctl.runner.gateway.pulling import as_line
from smolctl.runner.gateway.threads import in_thread
from smolctl.runner.gateway.worker_connection import WorkerConnection, WorkerLost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from smolctl.runner.gateway.metrics import Metrics
    from smolctl.runner.gateway.models import Models
    from smolctl.runner.gateway.pulling import Event, Puller
    from smolctl.runner.gateway.workers import Workers
    from smolctl.runner.worker_status import Worker
    from smolctl.store.store import Removal

_MAXIMUM_BODY = 64 * 1024
_METRICS_SECONDS = 2.0


class Management:
    """The endpoints, each a coroutine from a request to a response. They raise `SmolctlError`."""

    def __init__(self, models: Models, puller: Puller, workers: Workers, metrics: Metrics) -> None:
        self._models = models
        self._puller = puller
        self._workers = workers
        self._metrics = metrics

    async def openai_list(self, request: Request) -> Response:
        """List the models that are here, as OpenAI does."""
        del request
        return JSONResponse(await in_thread(self._models.openai_list))

    async def openai_item(self, request: Request) -> Response:
        """Tell of one model, as OpenAI does."""
        find = partial(self._models.openai_item, request.path_params["name"])
        return JSONResponse(await in_thread(find))

    async def list(self, request: Request) -> Response:
        """List the models that are here."""
        del request
        return JSONResponse(await in_thread(self._models.all))

    async def inspect(self, request: Request) -> Response:
        """Tell of one model that is here."""
        if _flag(request, "remote"):
            return response(
                Failure(501, "remote=true is not supported: only what is here is shown")
            )
        find = partial(self._models.one, request.path_params["name"])
        return JSONResponse(await in_thread(find))

    async def create(self, request: Request) -> Response:
        """Pull a model, and tell how it goes in lines of JSON."""
        fields = Fields(parse_body(await read_body(request.receive, _MAXIMUM_BODY)))
        if fields.text("bearer-token"):
            raise InvalidField(
                "bearer-token",
                "bearer-token is not supported; `smolctl login`, on the server, is",
            )
        events = self._puller.events(self._models.store.parse(fields.required_text("from")))
        # Until something happened there is a status to say with that nothing will.
        first = await anext(events)
        return StreamingResponse(_lines(first, events), media_type="application/x-ndjson")

    async def delete(self, request: Request) -> Response:
        """Remove a name; a model goes with its last name, and its worker with it."""
        name, force = request.path_params["name"], _flag(request, "force")
        await in_thread(partial(self._models.get, name))
        try:
            removal = await in_thread(partial(self._models.store.remove, name, force=force))
        except UsageError as error:
            return response(Failure(409, f"{error.message}. Or use ?force=true.", code="conflict"))
        if removal.deleted is not None:
            await in_thread(partial(self._workers.unload, [str(removal.deleted)]))
        return JSONResponse(_actions(removal))

    async def unload(self, request: Request) -> Response:
        """Have workers end: those of `models`, or with `all` every one."""
        document = parse_body(await read_body(request.receive, _MAXIMUM_BODY))
        fields = Fields(document)
        ids: list[str] | None = None
        if not fields.flag("all"):
            names = document.get("models")
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise InvalidField("models", "models is a list of names, or all is true")
            ids = await in_thread(lambda: [str(self._models.get(name).id) for name in names])
        ended = await in_thread(partial(self._workers.unload, ids))
        return JSONResponse({"unloaded_runners": ended})

    async def running(self, request: Request) -> Response:
        """List the workers that run."""
        del request
        return JSONResponse([_shown(worker) for worker in await in_thread(self._workers.running)])

    async def status(self, request: Request) -> Response:
        """Say that llama.cpp is there."""
        del request
        return JSONResponse({"llama.cpp": "running"})

    async def metrics(self, request: Request) -> Response:
        """Tell what was counted, here and by the workers."""
        del request
        workers = await in_thread(self._workers.running)
        texts = await asyncio.gather(*map(_metrics_of, workers))
        named = [(worker.name, text) for worker, text in zip(workers, texts, strict=True)]
        return Response(self._metrics.text(named), media_type=CONTENT_TYPE)

    async def health(self, request: Request) -> Response:
        """Say that the gateway is there."""
        del request
        return JSONResponse({"status": "ok"})

    async def greeting(self, request: Request) -> Response:
        """Say what this is."""
        del request
        return PlainTextResponse("smolctl is running\n")


async def _lines(first: Event, events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    yield as_line(first)
    async for event in events:
        yield as_line(event)


async def _metrics_of(worker: Worker) -> str:
    with suppress(WorkerLost, asyncio.TimeoutError):
        return await asyncio.wait_for(_read_metrics(worker), _METRICS_SECONDS)
    return ""


async def _read_metrics(worker: Worker) -> str:
    connection = await WorkerConnection.open(worker.socket)
    try:
        head = await connection.ask("GET", "/metrics")
        content = await connection.read()
    finally:
        connection.close()
    return content.decode(errors="replace") if head.status_code == 200 else ""


def _shown(worker: Worker) -> dict[str, Any]:
    return {
        "backend_name": "llama.cpp",
        "model_name": worker.name,
        "mode": worker.mode,
        "last_used": _time(worker.last_used),
        "expires_at": None if worker.expires_at is None else _time(worker.expires_at),
        "id": worker.id,
        "pid": worker.pid,
        "context_size": worker.context_size,
        "sequences": worker.sequences,
        "busy": worker.busy,
        "memory": worker.memory,
    }


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, timezone.utc))


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("1", "true")


def _actions(removal: Removal) -> list[dict[str, Any]]:
    actions = [{"Untagged": name.canonical} for name in removal.untagged if name.tag is not None]
    if removal.deleted is not None:
        actions.append({"Deleted": str(removal.deleted)})
    return actions
