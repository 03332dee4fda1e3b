"""Where history is on disk, and whether the log is on: a file says so, so that asking is cheap."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from smolctl.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = 0o077


class HistoryFiles:
    """The files of history in the folder for a user's state. Making this touches nothing.

    Prompts are private: the folder is for its owner alone, and so is each file from its first
    byte on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def database(self) -> Path:
        """Conversations and the log, in SQLite; two more files lie beside it while it is used."""
        return self.folder / "history.db"

    @property
    def marker(self) -> Path:
        """The file that is there while the log is on."""
        return self.folder / "log-prompts"

    @property
    def log_is_on(self) -> bool:
        """Whether prompts and replies are to be kept."""
        return os.path.exists(self.marker)  # noqa: PTH110 - Path's raises where it may not look

    def turn_log_on(self) -> None:
        """Have prompts and replies kept from now on. Raises `StorageError`."""
        self.make(self.marker)

    def turn_log_off(self) -> None:
        """Have none kept any more, also by those who run now. Raises `StorageError`."""
        try:
            self.marker.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.marker, error) from error

    def make(self, path: Path) -> None:
        """Make the file at `path`, empty, where there is none. Raises `StorageError`."""
        try:
            make_private_folder(self.folder)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise storage_error(path, error) from error


def make_private_folder(folder: Path) -> None:
    """Make `folder`, or close the one that is there, to all but its owner. Raises `OSError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & _OTHERS:  # made for something that was nobody's secret
        with suppress(PermissionError):  # not ours: its files are closed to others all the same
            folder.chmod(0o700)


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return what to raise for an `error` of the system about `path`."""
    return StorageError(
        f"{path}: {error.strerror or error}",
        hint="XDG_STATE_HOME says in which folder conversations and the log are kept.",
    )
