"""Listening: the address that the gateway is at, and serving there until a signal comes."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import uvicorn

from smolctl.errors import UsageError
from smolctl.listening import Address

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

_MOMENT_SECONDS = 3
"""How long answers that are under way may go on when a signal ends the gateway."""

_KEEP_ALIVE_SECONDS = 75
"""Clients keep connections for later; one that is closed on them as they use it fails them."""


def listen(host: str, port: int, *, beyond_loopback: bool) -> socket.socket:
    """Return a socket that listens at `host` and `port`; port 0 takes a free one.

    Raises `UsageError` for a host that nobody knows, for one beyond loopback without leave, and
    when the address cannot be had.
    """
    address = Address.of(host, port)
    if not beyond_loopback and not address.is_loopback:
        raise UsageError(
            f"listening on {host} needs an API key: others could use the models without one",
            hint="Set one with --api-key-file FILE or SMOLCTL_API_KEY.",
        )
    return address.listen()


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve `app` until SIGINT or SIGTERM comes, which is raised again when all is done.

    Answers that are under way go on for a moment; a second signal ends them, too.
    """
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_MOMENT_SECONDS,
    )
    with listener:
        uvicorn.Server(config).run([listener])


def base_url(listener: socket.socket) -> str:
    """Return the URL that programs on this machine reach `listener` at."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"
