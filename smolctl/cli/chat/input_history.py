"""What a person typed in earlier chats: a file of JSON strings, a line each."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.history.location import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_ENTRIES = 1000
_ENTRY_LETTERS = 16 * 1024
"""A text that is longer was pasted, and lies somewhere already."""
_MOST_BYTES = 4 * 1024 * 1024


class InputHistory:
    """The file at `path`, for this user alone; several chats may add to it at once.

    It keeps the latest entries: a thousand, and not more than four megabytes. All of it raises
    `OSError` where the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[str]:
        """Return what is kept, the oldest first. Lines that nobody here wrote are left out."""
        try:
            with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as handle:
                return self._entries(handle)
        except FileNotFoundError:
            return []

    def add(self, text: str) -> None:
        """Keep `text`, and drop the older half of what is kept when there is too much."""
        if len(text) > _ENTRY_LETTERS:
            return
        make_private_folder(self._path.parent)
        with self._opened(os.O_RDWR | os.O_APPEND | os.O_CREAT, fcntl.LOCK_EX) as handle:
            os.write(handle, _line(text))
            if os.fstat(handle).st_size > _MOST_BYTES:
                self._halve(handle)

    def trim(self) -> None:
        """Drop the older half when there are too many entries."""
        try:
            with self._opened(os.O_RDWR | os.O_APPEND, fcntl.LOCK_EX) as handle:
                if len(self._entries(handle)) > _MOST_ENTRIES:
                    self._halve(handle)
        except FileNotFoundError:
            pass

    def _halve(self, handle: int) -> None:
        """Put a file with the newer half in the place of this one, whole or not at all."""
        kept = self._entries(handle)[-_MOST_ENTRIES:]
        place = self._path.resolve()  # it may be a link
        beside = place.with_name(f"{place.name}.new")
        try:
            with open(_open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.writelines(_line(entry) for entry in kept[len(kept) // 2 :])
            beside.replace(place)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    @staticmethod
    def _entries(handle: int) -> list[str]:
        os.lseek(handle, max(os.fstat(handle).st_size - _MOST_BYTES, 0), os.SEEK_SET)
        content = b""
        while piece := os.read(handle, _MOST_BYTES):
            content += piece
            if len(content) > 2 * _MOST_BYTES:
                break
        return [entry for line in content.splitlines() if (entry := _entry(line)) is not None]

    @contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[int]:
        """Open the file and lock it; again, where another one took its place meanwhile."""
        while True:
            handle = _open(self._path, flags)
            try:
                fcntl.flock(handle, lock)
                if os.path.samestat(os.fstat(handle), self._path.stat()):
                    yield handle
                    return
            finally:
                os.close(handle)


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _line(entry: str) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _entry(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, str) else None
