"""Where workers are found: a folder of sockets for each user and each cache.

Whoever can connect to a socket can use its model, so the folder is one that only its owner can
enter, and one that somebody else made is not used. In the folder, a model has a socket, and a lock
that is held while its worker is being started; its log is where logs belong. Where the folder is
comes from the environment, which is another for a job of cron than for a shell: links beside the
logs lead to all that were made for the cache, so that no worker is lost from sight.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import StorageError, UsageError
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.settings import Settings

_ID_LETTERS = 12
_HOME_LETTERS = 8
_LINK = ".sockets"
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
        """Return the sockets in all folders; behind some may be nobody any more."""
        return self._all("*.sock")

    def locks(self) -> list[Path]:
        """Return the locks in all folders, held or not."""
        return self._all("*.lock")

    def make(self) -> None:
        """Make the folders, where nobody else can enter. Raises `StorageError` as `check` does."""
        with storage_errors(self.base):
            self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        with storage_errors(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
        with storage_errors(self.logs):
            self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:_HOME_LETTERS]
            with suppress(FileExistsError):
                (self.logs / f"{name}{_LINK}").symlink_to(self.folder)

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

    def _all(self, pattern: str) -> list[Path]:
        found: list[Path] = []
        for folder in (self.folder, *self._others()):
            with storage_errors(folder):
                found += sorted(folder.glob(pattern))
        return found

    def _others(self) -> list[Path]:
        """Return the folders that other environments made for this cache, and that are ours."""
        others = []
        for link in sorted(self.logs.glob(f"*{_LINK}")):
            with suppress(OSError, StorageError):
                folder = link.readlink()
                WorkerFolder(folder.parent, folder, self.logs).check()
                if not folder.is_dir():
                    link.unlink()  # of a session that is over
                elif folder != self.folder:
                    others.append(folder)
        return others
