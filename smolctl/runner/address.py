"""Where workers are found: a folder of sockets for each user and each cache.

Whoever can connect to a socket can use its model, so the folder is one that only its owner can
enter, and one that somebody else made is not used. In the folder, a model has a socket, and a lock
that is held while its worker is being started; its log is where logs belong.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import StorageError, UsageError
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.settings import Settings

_ID_LETTERS = 12
_HOME_LETTERS = 8
_LONGEST_PATH = 103
"""Bytes of a Unix socket's path: macOS has 104 for it, with the zero that ends it."""


class WorkerAddress(NamedTuple):
    """Where the worker of one model is."""

    socket: Path
    lock: Path
    log: Path


@dataclass(frozen=True)
class WorkerFolder:
    """The addresses of the workers of one user and one cache."""

    base: Path
    folder: Path
    logs: Path

    @classmethod
    def of(cls, settings: Settings) -> WorkerFolder:
        """Return the folder for `settings`; nothing is made."""
        digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:_HOME_LETTERS]
        return cls(settings.runtime, settings.runtime / digest, settings.state / "logs" / digest)

    def address(self, model_id: str) -> WorkerAddress:
        """Return the address of the model with that ID (`sha256:…`).

        Raises `UsageError` when a socket cannot have so long a path.
        """
        name = model_id.rpartition(":")[2][:_ID_LETTERS]
        socket = self.folder / f"{name}.sock"
        if len(os.fsencode(socket)) > _LONGEST_PATH:
            raise UsageError(
                f"{self.base} is too long a path for sockets",
                hint="Set XDG_RUNTIME_DIR to a shorter one.",
            )
        return WorkerAddress(socket, self.folder / f"{name}.lock", self.logs / f"{name}.log")

    @property
    def memory_lock(self) -> Path:
        """What a worker holds from looking for free memory until it has what it needs of it."""
        return self.folder / "memory"

    def sockets(self) -> list[Path]:
        """Return the sockets that are there; behind some may be nobody any more."""
        with storage_errors(self.folder):
            return sorted(self.folder.glob("*.sock"))

    def locks(self) -> list[Path]:
        """Return the locks that are there, held or not."""
        with storage_errors(self.folder):
            return sorted(self.folder.glob("*.lock"))

    def make(self) -> None:
        """Make the folders, where nobody else can enter. Raises `StorageError` as `check` does."""
        with storage_errors(self.base):
            self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        with storage_errors(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
        with storage_errors(self.logs):
            self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def check(self) -> None:
        """Raise `StorageError` when what is in the folder's place is not ours alone.

        In a folder that all may write to, somebody may have been there first.
        """
        try:
            status = self.base.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise StorageError(
                f"{self.base} is not a folder of yours",
                hint="Remove it, or set XDG_RUNTIME_DIR to a folder of your own.",
            )
        if status.st_mode & 0o077:
            raise StorageError(
                f"others may enter {self.base}", hint=f"`chmod 700 {self.base}` keeps them out."
            )
