"""A pipe to a server that counts what comes out of it, whatever it is."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class CountingPipe:
    """Listens on a free loopback port and passes on to `host`; use it as a context manager.

    `received` is how many bytes came from there, headers included.
    """

    def __init__(self, host: str) -> None:
        name, _, port = host.rpartition(":")
        self._address = (name, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.received = 0

    def __enter__(self) -> CountingPipe:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # wakes who waits in `accept`
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        with ours, socket.create_connection(self._address) as theirs:
            back = threading.Thread(target=self._pump, args=(theirs, ours, 1), daemon=True)
            back.start()
            self._pump(ours, theirs, 0)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket, counts: int) -> None:
        with suppress(OSError):  # either side has had enough
            while piece := source.recv(65_536):
                with self._lock:
                    self.received += counts * len(piece)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
