"""What stands before the gateway: who may not speak to it is answered here.

A browser sends requests for whichever page is open in it, also to servers on loopback. Two things
give such a page away. Its name, where it had its own name resolve to 127.0.0.1 to pass for this
server ("DNS rebinding"): the `Host` header still has that name. And its origin, where it asks
across origins: `Origin` and `Sec-Fetch-Site`. Sources: Fetch standard, "HTTP extensions"; W3C
Fetch Metadata.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from smolctl.runner.api.failure import Failure
from smolctl.runner.gateway.failure import response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from smolctl.runner.gateway.policy import Policy

_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*")
_OPEN = "/health"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Guard:
    """Lets through to `app` what `policy` allows, and answers the rest."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(headers, scope)
        origin = headers.get("origin")
        if refusal is not None:
            # A page gets to read it as well if it may ask at all: its developer wants to know.
            allowed = refusal.code == "invalid_api_key"
            answer = response(refusal, _CHALLENGE if refusal.status == 401 else None)
            await answer(scope, receive, _with_cors(send, origin, allowed=allowed))
        elif _is_preflight(scope, headers):
            await _preflight(headers)(scope, receive, _with_cors(send, origin, allowed=True))
        else:
            await self._app(scope, receive, _with_cors(send, origin, allowed=True))

    def _refusal(self, headers: Headers, scope: Scope) -> Failure | None:
        hosts, origin = headers.getlist("host"), headers.get("origin")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        if not self._policy.knows_host(host):
            return Failure(
                403,
                f"this server does not go by the name {host[:100]!r};"
                " `smolctl serve --allow-host NAME` lets it",
                code="host_not_allowed",
            )
        if origin is not None:
            if not self._policy.knows_origin(origin.lower(), host):
                return Failure(
                    403,
                    f"pages of {origin[:100]!r} may not use this server;"
                    " `smolctl serve --allow-origin ORIGIN` lets them",
                    code="origin_not_allowed",
                )
        elif headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return Failure(
                403, "this server is not for other sites' pages", code="origin_not_allowed"
            )
        # Browsers send no key with a preflight, and health is what a supervisor asks for.
        if scope["path"] == _OPEN or _is_preflight(scope, headers):
            return None
        if not self._policy.accepts(headers.get("authorization", "")):
            return Failure(
                401,
                "this server wants its API key: Authorization: Bearer KEY",
                code="invalid_api_key",
            )
        return None


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    asks = "origin" in headers and "access-control-request-method" in headers
    return bool(asks and scope["method"] == "OPTIONS")


def _preflight(headers: Headers) -> Response:
    asked = headers.get("access-control-request-headers", "")
    answer = {
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Max-Age": "600",
    }
    if _HEADER_NAMES.fullmatch(asked):
        answer["Access-Control-Allow-Headers"] = asked
    if headers.get("access-control-request-private-network") == "true":
        answer["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=answer)


def _with_cors(send: Send, origin: str | None, *, allowed: bool) -> Send:
    """Return `send` with what lets a page of `origin` read the answer, if it is `allowed`."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Origin")
            if origin is not None and allowed:
                headers["Access-Control-Allow-Origin"] = origin
        await send(message)

    return sending
