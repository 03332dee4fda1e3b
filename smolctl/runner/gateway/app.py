"""The gateway's ASGI application: which address leads where."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from smolctl.errors import SmolctlError
from smolctl.runner.api.app import PREFIXES
from smolctl.runner.api.body import ClientGone
from smolctl.runner.api.failure import Failure
from smolctl.runner.gateway.failure import gateway_failure, response
from smolctl.runner.gateway.forwarding import OPERATIONS, Forwarding
from smolctl.runner.gateway.guard import Guard
from smolctl.runner.gateway.management import Management
from smolctl.runner.gateway.metrics import Metrics
from smolctl.runner.gateway.models import Models
from smolctl.runner.gateway.pulling import Puller
from smolctl.runner.gateway.routing import Router

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from smolctl.registry.access import RegistryAccess
    from smolctl.runner.gateway.policy import Policy
    from smolctl.runner.gateway.workers import Workers
    from smolctl.store.store import Store


_log = logging.getLogger("smolctl.gateway")


def gateway_app(
    store: Store, registries: RegistryAccess, workers: Workers, policy: Policy
) -> ASGIApp:
    """Return the application that serves the models of `store`, to whom `policy` allows."""
    models, metrics = Models(store), Metrics()
    router = Router(models, workers)
    manage = Management(models, Puller(store, registries), workers, metrics)
    routes = [
        Route("/", manage.greeting),
        Route("/health", manage.health),
        Route("/metrics", manage.metrics),
        Route("/models", manage.list),
        Route("/models/create", manage.create, methods=["POST"]),
        Route("/models/{name:path}", manage.inspect),
        Route("/models/{name:path}", manage.delete, methods=["DELETE"]),
        Route("/engines/unload", manage.unload, methods=["POST"]),
        Route("/engines/ps", manage.running),
        Route("/engines/status", manage.status),
    ]
    forwarding = {each: Forwarding(each, router, metrics, workers.headers) for each in OPERATIONS}
    for prefix in PREFIXES:
        routes += [
            *(Route(f"{prefix}/{each}", forwarding[each], methods=["POST"]) for each in OPERATIONS),
            Route(f"{prefix}/models", manage.openai_list),
            Route(f"{prefix}/models/{{name:path}}", manage.openai_item),
        ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            404: partial(_refuse, 404, "there is no such address here"),
            405: partial(_refuse, 405, "this address does not take such requests"),
            SmolctlError: _fail,
            ClientGone: _drop,
            Exception: _break,
        },
    )
    app.router.redirect_slashes = False
    return Guard(app, policy)


async def _refuse(status: int, message: str, request: Request, error: Exception) -> Response:
    del error
    return response(Failure(status, f"{request.method} {request.url.path[:200]}: {message}"))


async def _fail(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, SmolctlError)  # noqa: S101 - it is what this is registered for
    return response(gateway_failure(error))


async def _drop(request: Request, error: Exception) -> Response:
    del request, error
    return PlainTextResponse("", 400)  # to nobody


async def _break(request: Request, error: Exception) -> Response:
    del request
    _log.error("a request failed because of a bug", exc_info=error)
    return response(Failure(500, "smolctl has a bug; its log says more", "server_error"))
