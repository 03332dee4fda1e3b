"""The socket of a worker: made where only its owner can connect, removed only if it is its own."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.store.storage import lock_file, storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.address import WorkerAddress

BACKLOG = 512
"""Connections that may wait to be accepted."""


@dataclass(frozen=True)
class Listener:
    """A listening socket at `path`. `identity` tells it from another one at the same path."""

    path: Path
    lock: Path
    socket: socket.socket
    identity: tuple[int, int]

    @classmethod
    def open(cls, address: WorkerAddress) -> Listener:
        """Listen at `address`, where nothing is; its lock must be held. Raises `StorageError`."""
        path = address.socket
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with storage_errors(path):
            before = os.umask(0o177)
            try:
                made.bind(str(path))
            finally:
                os.umask(before)
            made.listen(BACKLOG)
            made.setblocking(False)
            return cls(path, address.lock, made, _identity(path))

    def is_in_place(self) -> bool:
        """Whether those who connect to the path come to this socket."""
        try:
            return _identity(self.path) == self.identity
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the socket from its path, if it is there.

        Under the lock, or a new worker might put its own there between the look and the removal.
        Where somebody has the lock, it is to start a worker, and removes what nobody serves.
        """
        if not self.lock.parent.exists():
            return
        handle = lock_file(self.lock, wait=False)
        if handle is not None:
            if self.is_in_place():
                self.path.unlink()
            os.close(handle)


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
