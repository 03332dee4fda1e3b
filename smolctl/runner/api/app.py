"""The routes of a worker's HTTP API, and the border where what fails becomes an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from smolctl.errors import SmolctlError
from smolctl.runner.api.chat_completions import chat_completions
from smolctl.runner.api.completions import completions
from smolctl.runner.api.embeddings import embeddings
from smolctl.runner.api.exchange import CLIENT_GONE, Exchange
from smolctl.runner.api.failure import Failure, failure_of
from smolctl.runner.api.metrics import CONTENT_TYPE
from smolctl.runner.api.models import model_list, one_model
from smolctl.runner.api.service import Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from smolctl.runner.activity import Activity
    from smolctl.runner.loaded import LoadedModel

PREFIXES = ("/v1", "/engines/v1", "/engines/llama.cpp/v1")
"""Where the routes of OpenAI's API are; the latter two are Docker Model Runner's."""


def api_app(model: LoadedModel, activity: Activity) -> Starlette:
    """Return the ASGI application that serves `model`; requests that use it count in `activity`."""
    service = Service(model, activity)
    pages = _Pages(service)
    routes = [Route("/health", pages.health), Route("/metrics", pages.metrics)]
    for prefix in PREFIXES:
        routes += [
            Route(f"{prefix}/models", pages.models),
            Route(f"{prefix}/models/{{name:path}}", pages.model),
        ]
        for path, answer in _ANSWERS.items():
            use = _Use(f"/v1{path}", answer, service)
            routes.append(Route(f"{prefix}{path}", use, methods=["POST"]))
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _no_route, SmolctlError: _failed, Exception: _failed},
    )
    app.router.redirect_slashes = False
    return app


_ANSWERS: dict[str, Callable[[Exchange, Service], Awaitable[None]]] = {
    "/chat/completions": chat_completions,
    "/completions": completions,
    "/embeddings": embeddings,
}
"""What uses the model."""


class _Use:
    """The ASGI application of a route that uses the model, and the border of its requests.

    Starlette's own border comes too late for a stream that has begun.
    """

    def __init__(
        self,
        route: str,
        answer: Callable[[Exchange, Service], Awaitable[None]],
        service: Service,
    ) -> None:
        self._route = route
        self._answer = answer
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        with self._service.activity.request():
            try:
                await self._answer(exchange, self._service)
            except Exception as error:  # noqa: BLE001 - the border of a request: the client gets it
                await exchange.fail(error)
            finally:
                exchange.close()
                status = CLIENT_GONE if exchange.gone else exchange.status or 500
                self._service.metrics.count_request(self._route, status)


class _Pages:
    """What tells about the model without using it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        del request
        text = self._service.metrics.text(self._service.model.engine)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def models(self, request: Request) -> Response:
        del request
        return JSONResponse(model_list(self._service))

    async def model(self, request: Request) -> Response:
        return JSONResponse(one_model(self._service, request.path_params["name"]))


async def _no_route(request: Request, error: Exception) -> Response:
    """Answer a path that is none, or a method that its path does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers: Any = error.headers if isinstance(error, HTTPException) else None
    place = f"{request.method} {request.url.path[:200]}"
    problem = "is not allowed" if status == 405 else "does not exist"
    failure = Failure(status, f"{place} {problem}", code="unknown_url")
    return JSONResponse(failure.document, status, headers)


async def _failed(request: Request, error: Exception) -> Response:
    del request
    failure = failure_of(error)
    return JSONResponse(failure.document, failure.status)
