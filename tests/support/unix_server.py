"""An ASGI application on a Unix socket, served by uvicorn in a thread of this process."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(app: Any, path: Path) -> Iterator[Path]:
    """Serve `app` on the Unix socket `path` while the block runs; yields `path`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    started = threading.Event()
    config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False, ws="none")
    server = _Server(config, started)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield path
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._up = started

    def install_signal_handlers(self) -> None:
        """Leave the signals to the tests' own thread."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.set()
