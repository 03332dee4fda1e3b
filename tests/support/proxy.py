"""An HTTP proxy that alone knows where some hosts are: what gets there went through it."""

from __future__ import annotations

import http.client
import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Passage:
    """What the proxy was asked: a method and its target, and what was shown to it."""

    method: str
    target: str
    proxy_authorization: str | None
    authorization: str | None


class Proxy:
    """A proxy on a free loopback port; use it as a context manager.

    `hosts` says which loopback port stands for which `host:port`. Others it does not know. With
    `wanted`, only those who show this `Proxy-Authorization` get through.
    """

    def __init__(self, hosts: Mapping[str, int], *, wanted: str | None = None) -> None:
        self.passages: list[Passage] = []
        self.hosts = hosts
        self.wanted = wanted
        handler = type("_BoundHandler", (_Handler,), {"proxy": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Ask the host of an absolute address, and hand on what it says."""
        parts = urlsplit(self.path)
        port = self._port(f"{parts.hostname}:{parts.port or 80}")
        if port is None:
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if not name.lower().startswith("proxy-")
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            target = parts._replace(scheme="", netloc="").geturl()
            connection.request(self.command, target, headers=headers)
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
        finally:
            connection.close()

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def do_CONNECT(self) -> None:
        """Become a pipe to the host."""
        port = self._port(self.path)
        if port is None:
            return
        with socket.create_connection(("127.0.0.1", port), timeout=30) as there:
            self.send_response_only(200)
            self.end_headers()
            back = threading.Thread(target=_pump, args=(there, self.connection))
            back.start()
            _pump(self.connection, there)
            back.join()
        self.close_connection = True

    def _port(self, host: str) -> int | None:
        shown = self.headers.get("Proxy-Authorization")
        authorization = self.headers.get("Authorization")
        self.proxy.passages.append(Passage(self.command, self.path, shown, authorization))
        port = self.proxy.hosts.get(host)
        if self.proxy.wanted not in (None, shown):
            self._refuse(407)
        elif port is None:
            self._refuse(502)
        else:
            return port
        return None

    def _refuse(self, status: int) -> None:
        self.send_response_only(status, "Refused")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        del format, args


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # either side has had enough
