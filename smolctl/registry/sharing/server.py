"""Serving a cache as a read-only registry: connections in, a thread for each, and not too many."""

from __future__ import annotations

import resource
import selectors
import socket
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from smolctl.listening import listen
from smolctl.registry.sharing.answer import ReadOnlyRegistry, error
from smolctl.registry.sharing.connection import Connection, Patience
from smolctl.registry.sharing.shared_models import SharedModels
from smolctl.registry.sharing.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.registry.sharing.answer import Taken
    from smolctl.registry.sharing.visits import Visit
    from smolctl.store.store import Store

_TICK_SECONDS = 1.0
_OWN_FILES = 64
_PAUSE_SECONDS = 0.1
_REFUSAL = error(429, "TOOMANYREQUESTS", "too many connections; try again in a moment")
_REFUSED = (
    b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 2\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_REFUSAL.body), _REFUSAL.body)


@dataclass(frozen=True)
class Limits:
    """How many connections there may be, in all and of one address, and how long each is borne."""

    connections: int = 2048
    of_one_peer: int = 512
    patience: Patience = field(default_factory=Patience)


class RegistryServer:
    """The registry over `models` at `listener`, a socket that listens.

    `tell` hears of each visit that ended, in the thread that runs the server.
    """

    def __init__(
        self,
        models: SharedModels,
        listener: socket.socket,
        tell: Callable[[Visit], None] = lambda visit: None,  # noqa: ARG005
        limits: Limits = Limits(),
    ) -> None:
        self._models = models
        self._listener = listener
        self._tell = tell
        self._limits = limits
        self._registry = ReadOnlyRegistry(models)
        self._visits = Visits()
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, str] = {}
        self._peers: Counter[str] = Counter()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._stopped = False
        self._room = 0

    def run(self) -> None:
        """Serve until `stop` is called, or a signal raises what it does; then hang up on all."""
        files = _allow_files(2 * self._limits.connections + _OWN_FILES)
        # Each takes a file for itself, and one for the blob that it is sent.
        self._room = min(self._limits.connections, (files - _OWN_FILES) // 2)
        self._listener.setblocking(False)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                while not self._stopped:
                    ready = selector.select(_TICK_SECONDS if self._visits.under_way else None)
                    for key, _ in ready:
                        if key.fileobj is self._listener:
                            self._accept()
                        else:
                            self._woken.recv(4096)
                    for visit in self._visits.ended():
                        self._tell(visit)
        finally:
            self._close()

    def stop(self) -> None:
        """Have `run` return. May be called from any thread."""
        self._stopped = True
        self._wake()

    def _accept(self) -> None:
        try:
            stream, address = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # out of files, most likely: it stays in the queue until some are closed
            time.sleep(_PAUSE_SECONDS)
            return
        peer = str(address[0])
        with self._lock:
            too_many = (
                len(self._connections) >= self._room
                or self._peers[peer] >= self._limits.of_one_peer
            )
            if not too_many:
                self._connections[stream] = peer
                self._peers[peer] += 1
        if too_many:
            _turn_away(stream)
            return
        try:
            threading.Thread(target=self._serve, args=(stream, peer), daemon=True).start()
        except RuntimeError:  # the system has no thread for us
            self._forget(stream)
            _turn_away(stream)

    def _serve(self, stream: socket.socket, peer: str) -> None:
        sending = partial(self._sending, peer)
        try:
            Connection(stream, self._registry, self._limits.patience, sending).serve()
        finally:
            self._forget(stream)

    def _forget(self, stream: socket.socket) -> None:
        with self._lock:
            peer = self._connections.pop(stream, None)
            if peer is not None:
                self._peers[peer] -= 1
                if not self._peers[peer]:
                    del self._peers[peer]

    def _sending(self, peer: str, taken: Taken) -> Callable[[int, int], None] | None:
        visit = self._visits.begin(peer, taken, self._models.blobs(taken.shared.model))
        self._wake()  # `run` waits without an end as long as there is none
        blob = taken.blob
        if visit is None or blob is None:
            return None

        def sent(start: int, count: int) -> None:
            if self._visits.end(peer, visit, blob, start, count):
                self._wake()

        return sent

    def _wake(self) -> None:
        with suppress(OSError):  # it is full of wakings already, or all is over
            self._waker.send(b".")

    def _close(self) -> None:
        self._listener.close()
        with self._lock:
            open_ones = list(self._connections)
        for stream in open_ones:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        self._waker.close()
        self._woken.close()


@contextmanager
def serving(store: Store, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve all of `store` from a thread while the block runs; gives the registry as `host:port`.

    Port 0 takes a free one. Raises `UsageError` when the address cannot be had.
    """
    listener = listen(host, port)
    address = listener.getsockname()
    server = RegistryServer(SharedModels(store), listener)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        # The socket listens already: connections made before the server runs wait in its queue.
        yield f"{host}:{address[1]}"
    finally:
        server.stop()
        thread.join()


def _turn_away(stream: socket.socket) -> None:
    with stream, suppress(OSError):
        stream.setblocking(False)
        stream.send(_REFUSED)
        stream.shutdown(socket.SHUT_WR)


def _allow_files(count: int) -> int:
    """Have the system allow this process `count` open files; returns how many it does, at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
