"""Files written so that a crash leaves the old content or the new, and failures that say why."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.errors import DiskFull, StorageError
from smolctl.model.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MORE_ROOM = "Free some space (`smolctl model rm`), or set SMOLCTL_HOME to another disk."


@contextmanager
def storage_errors(path: Path, way_out: str | None = None) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StorageError` that names `path` and the way out.

    It is a sentence; without one, the path is taken for one of the cache.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise DiskFull(
                f"the disk is full: cannot write {path}", hint=way_out or _MORE_ROOM
            ) from error
        if error.errno in _FORBIDDEN:
            raise StorageError(
                f"no permission: {path}: {reason}",
                hint=way_out or "Set SMOLCTL_HOME to a folder of your own.",
            ) from error
        raise StorageError(f"{path}: {reason}", hint=way_out) from error


def check_room(folder: Path, size: int, done: str = "written") -> None:
    """Raise `StorageError` when the disk of `folder` has not `size` bytes free.

    `done` says what is to be done with them.
    """
    with storage_errors(folder):
        disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if size > free:
        raise StorageError(
            f"the disk is too small: {format_size(size)} are to be {done}, and {folder} has"
            f" {format_size(free)} free",
            hint=_MORE_ROOM,
        )


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[int]:
    """Hold the lock of `lock_file` while the block runs; gives its descriptor."""
    handle = lock_file(path, wait=True, shared=shared)
    assert handle is not None  # noqa: S101 - it waited
    try:
        yield handle
    finally:
        os.close(handle)


def lock_file(path: Path, *, wait: bool, shared: bool = False) -> int | None:
    """Lock the file at `path`, made if missing, and return its descriptor, to be closed.

    Without `wait`, None when somebody else has it. Any number may have it `shared` at once. The
    kernel drops the lock when the process ends, however it ends. The file may be renamed or removed
    while we wait for it; whoever then gets the lock of a file that is no longer at `path` tries
    again with the one that is.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(handle, kind if wait else kind | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                return None
            if _is_at(handle, path):
                return handle
            os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of the file at `path`."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` at `path` atomically and durably. Raises `StorageError`.

    Two writers of one path must hold a lock: the temporary file's name is the same for both.
    """
    temporary = path.with_name(f"{path.name}.new")
    with storage_errors(path):
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename is on disk only after this."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
