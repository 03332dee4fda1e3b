"""Who may speak to the gateway: which hosts it answers to, which pages, and with which key.

A browser sends requests for whichever page is open in it, also to servers on loopback. Two things
give such a page away. Its name, where it had its own name resolve to 127.0.0.1 to pass for this
server ("DNS rebinding"): the `Host` header still has that name. And its origin, where it asks
across origins: `Origin` and `Sec-Fetch-Site`. Sources: Fetch standard, "HTTP extensions"; W3C
Fetch Metadata.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from smolctl.errors import UsageError
from smolctl.runner.api.failure import Failure
from smolctl.runner.gateway.failure import response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANY_ORIGIN = "*"

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*")
_OPEN = "/health"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Policy:
    """Who may. `hosts` are names that the gateway goes by beside those of loopback.

    With `any_address` it goes by every IP address too: a page that has its name resolve to here
    still sends the name. `origins` may ask across origins, `*` is all of them. Raises
    `UsageError` for what is malformed, or would leave the gateway open to every page.
    """

    hosts: frozenset[str] = frozenset()
    any_address: bool = False
    origins: frozenset[str] = frozenset()
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for host in self.hosts:
            if _name_of(host) != host:
                raise UsageError(f"--allow-host is {host!r}", hint="It is a name without a port.")
        for origin in self.origins - {ANY_ORIGIN}:
            if _ORIGIN.fullmatch(origin) is None:
                raise UsageError(
                    f"--allow-origin is {origin!r}",
                    hint="An origin is SCHEME://HOST or SCHEME://HOST:PORT, or * for all.",
                )
        key = self.api_key
        if key is not None and (
            not key or not key.isascii() or not key.isprintable() or " " in key
        ):
            raise UsageError("the API key is empty, or has other than printable ASCII in it")
        if ANY_ORIGIN in self.origins and key is None:
            raise UsageError(
                "--allow-origin '*' lets every page use the models",
                hint="Set an API key as well (--api-key-file or SMOLCTL_API_KEY), or name origins.",
            )

    def listening(self, host: str, address: str) -> Policy:
        """Return this for a gateway that was told to listen on `host`, and does on `address`."""
        name = f"[{host}]" if ":" in host else host
        any_address = ipaddress.ip_address(address).is_unspecified
        return replace(self, hosts=self.hosts | {name.lower()}, any_address=any_address)

    def knows_host(self, header: str) -> bool:
        """Whether `header` is a name of this server; its port does not matter (tunnels)."""
        name = _name_of(header)
        if name is None:
            return False
        if name == "localhost" or name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return address.is_loopback or self.any_address

    def knows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` may ask `host`, which is this server."""
        if origin in self.origins or ANY_ORIGIN in self.origins:
            return True
        return origin in (f"http://{host}", f"https://{host}")

    def accepts(self, authorization: str) -> bool:
        """Whether the `Authorization` header has the key; no time tells how much was right."""
        if self.api_key is None:
            return True
        scheme, _, key = authorization.partition(" ")
        given = key.strip().encode("latin-1")  # what the bytes of headers are decoded as
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self.api_key.encode())


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


def _name_of(host: str) -> str | None:
    match = _HOST.fullmatch(host.lower())
    return match["name"].removesuffix(".") if match else None


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
