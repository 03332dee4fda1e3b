"""A worker's event loop: it serves a loaded model, and ends when it is time to leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol  # here, while the model loads

from smolctl import __version__
from smolctl.runner import handshake
from smolctl.runner.activity import Activity
from smolctl.runner.api.app import api_app
from smolctl.runner.expectation import named_options
from smolctl.runner.lifetime import Lifetime
from smolctl.runner.listener import BACKLOG, Listener
from smolctl.runner.worker_app import WorkerApp
from smolctl.runner.worker_log import log
from smolctl.runner.worker_status import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.runner.loaded import LoadedModel
    from smolctl.runner.specification import WorkerSpecification

_GRACE_SECONDS = 10.0
"""How long requests that are under way may take to end when the worker is told to leave."""

_CHECK_SECONDS = 60.0
_CLOSING_SECONDS = 0.01


def serve(loaded: LoadedModel, specification: WorkerSpecification) -> None:
    """Serve `loaded` until it is time to leave. Raises `StorageError` where it cannot listen."""
    listener = Listener.open(specification.address)
    try:
        asyncio.run(_serve(loaded, specification, listener))
    finally:
        listener.remove()


async def _serve(
    loaded: LoadedModel, specification: WorkerSpecification, listener: Listener
) -> None:
    activity = Activity()
    lifetime = Lifetime(activity, specification.keep_alive)

    def status() -> Worker:
        return _status(loaded, specification, lifetime, listener)

    app = WorkerApp(api_app(loaded, activity), lifetime, status)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGQUIT):
        loop.add_signal_handler(number, lifetime.leave)
    # The next call starts a worker that works.
    loaded.engine.on_broken(lambda: loop.call_soon_threadsafe(lifetime.leave))
    # Connections wait in the socket's queue until the server runs, a moment from now.
    handshake.report_ready(status().as_json())
    await _Server(app, lifetime, listener).serve([listener.socket])


class _Server(uvicorn.Server):
    """uvicorn's server, but for its signals, its ticking (ten times a second), and its end."""

    def __init__(self, app: WorkerApp, lifetime: Lifetime, listener: Listener) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=H11Protocol,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
            )
        )
        self._app = app
        self._lifetime = lifetime
        self._listener = listener

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals as they are."""
        yield

    async def main_loop(self) -> None:
        """Wait until it is time to leave, let the requests under way end, and end the process."""
        while not self._lifetime.leaving:
            await self._lifetime.wait(_CHECK_SECONDS)
            if not self._listener.is_in_place():
                # Nobody finds us any more: the folder went with the user's session, say.
                self._lifetime.leave()
        log(f"leaving, {self._lifetime.busy} requests under way")
        self._listener.remove()
        for server in self.servers:
            server.close()
        self._listener.socket.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        end = time.monotonic() + _GRACE_SECONDS
        while len(self.server_state.connections) > self._app.farewells and time.monotonic() < end:
            await asyncio.sleep(_CLOSING_SECONDS)
        # Those who wait for the end of the process get it now, with the memory free.
        os._exit(0)


def _status(
    loaded: LoadedModel,
    specification: WorkerSpecification,
    lifetime: Lifetime,
    listener: Listener,
) -> Worker:
    left_open = specification.options.context_size is None
    source = loaded.runnable.source
    remaining = lifetime.remaining()
    return Worker(
        socket=listener.path,
        id=source.id,
        name=source.name,
        names=source.names,
        pid=os.getpid(),
        version=__version__,
        context_size=loaded.engine.context_size,
        full_context=loaded.runnable.full_context if left_open else None,
        wanted_context=specification.wanted_context,
        sequences=loaded.options.sequences,
        shared_cache=loaded.options.shared_cache,
        mode="completion" if loaded.engine.generates else "embedding",
        options=named_options(loaded.options),
        loaded_at=lifetime.loaded_at,
        last_used=lifetime.last_used,
        keep_alive=lifetime.keep_alive,
        expires_at=None if remaining is None else time.time() + remaining,
        busy=lifetime.busy,
        memory=_memory(),
    )


def _memory() -> int:
    """Return the bytes of memory that this process has, the mapped weights included."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
