"""What lies in the cache beside its models: blobs without a name, unfinished ones, archives."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model.digest import Digest
from smolctl.store.partial import journal_path
from smolctl.store.storage import is_locked, lock_file, storage_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from smolctl.store.blobs import Blobs
    from smolctl.store.store import Store

_NAMED_FILE = re.compile(r"(?P<algorithm>sha256|sha512)-(?P<hex>[0-9a-f]+)(?P<rest>\.[a-z]+)?")
_SCRATCH = ("import-", "quantize-")
_ALGORITHMS = ("sha256", "sha512")
_BLOCK = 512
"""Bytes in the unit of `st_blocks`, on every platform that has it."""


class Kind(str, Enum):
    """What a leftover is."""

    blob = "blob"
    partial = "partial"
    scratch = "scratch"  # a file on its way in: copied, or being quantized
    archive = "archive"  # the files of an archive, or a folder of links to shards


@dataclass(frozen=True)
class Leftover:
    """A file, or a folder, that is no blob of a model.

    `size` is the bytes of the disk that it takes, of `whole` bytes that it will have; `modified`
    is when it last changed, in seconds since the epoch. `digest` is that of the blob, or of what
    it belongs to; scratch has none.
    """

    kind: Kind
    path: Path
    size: int
    whole: int
    modified: float
    digest: Digest | None = None

    @property
    def is_locked(self) -> bool:
        """Whether a process is writing it right now; only partial blobs tell."""
        return self.kind is Kind.partial and is_locked(self.path)


def unnamed_blobs(store: Store, named: Collection[Digest]) -> list[Leftover]:
    """Return the blobs of `store` that are not among `named`. Raises `StorageError`."""
    found = []
    for digest, path in blob_files(store.blobs):
        if digest not in named and (status := _stat(path)) is not None:
            found.append(
                Leftover(Kind.blob, path, status.st_size, status.st_size, status.st_mtime, digest)
            )
    return found


def blob_files(blobs: Blobs) -> Iterator[tuple[Digest, Path]]:
    """Yield every file that is called as a blob is, with the digest in its name."""
    for algorithm in _ALGORITHMS:
        for path in _entries(blobs.root / "blobs" / algorithm):
            digest = _digest(algorithm, path.name)
            if digest is not None:
                yield digest, path


def unfinished(store: Store) -> list[Leftover]:
    """Return what is on its way into `store`, or was: partial blobs and scratch files."""
    found: dict[Path, Leftover] = {}
    for entry in _entries(store.root / "partial"):
        if entry.name.startswith(_SCRATCH):
            size, modified = _tree(entry)
            found[entry] = Leftover(Kind.scratch, entry, size, size, modified)
        elif (named := _named(entry)) is not None and named[1] in (None, ".journal"):
            path = store.blobs.partial_path(named[0])
            partial = _partial(path, named[0]) if path not in found else None
            if partial is not None:
                found[path] = partial
    return list(found.values())


def unpacked(store: Store) -> list[Leftover]:
    """Return the folders of files that were made of archives, or are being made."""
    found = []
    for entry in _entries(store.root / "unpacked"):
        named = _named(entry)
        if named is not None and named[1] in (None, ".new"):
            size, modified = _tree(entry)
            found.append(Leftover(Kind.archive, entry, size, size, modified, named[0]))
    return found


def delete_partial(leftover: Leftover) -> bool:
    """Delete a partial blob, unless a process is writing it, or was meanwhile: False then."""
    handle = lock_file(leftover.path, wait=False)  # which makes the file, if it has gone
    if handle is None:
        return False
    try:
        with storage_errors(leftover.path):
            status = os.fstat(handle)
            if status.st_size and status.st_mtime > leftover.modified:
                return False
            # The journal first: it must never speak of bytes that are gone.
            journal_path(leftover.path).unlink(missing_ok=True)
            leftover.path.unlink(missing_ok=True)
    finally:
        os.close(handle)
    return True


def delete_archive(leftover: Leftover) -> bool:
    """Delete a folder of unpacked files, unless a process is making it: False then.

    Whoever has the files open keeps them.
    """
    lock = leftover.path.with_suffix(".lock")
    handle = lock_file(lock, wait=False)
    if handle is None:
        return False
    try:
        delete_tree(leftover.path)
        with storage_errors(lock):
            lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
    return True


def delete_tree(path: Path) -> None:
    """Delete a file or a folder; that it is gone already is no error."""
    with storage_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _partial(path: Path, digest: Digest) -> Leftover | None:
    """Return the partial blob at `path`; None when it has gone, whole or not."""
    statuses = [_stat(path), _stat(journal_path(path))]
    there = [status for status in statuses if status is not None]
    if not there:
        return None
    return Leftover(
        Kind.partial,
        path,
        sum(status.st_blocks * _BLOCK for status in there),
        statuses[0].st_size if statuses[0] is not None else 0,
        max(status.st_mtime for status in there),
        digest,
    )


def _named(path: Path) -> tuple[Digest, str | None] | None:
    """Return the digest in the name of a file that belongs to a blob, and what follows it."""
    match = _NAMED_FILE.fullmatch(path.name)
    digest = _digest(match["algorithm"], match["hex"]) if match else None
    return (digest, match["rest"]) if match is not None and digest is not None else None


def _digest(algorithm: str, text: str) -> Digest | None:
    try:
        return Digest.parse(f"{algorithm}:{text}")
    except IntegrityError:
        return None


def _entries(folder: Path) -> list[Path]:
    with storage_errors(folder):
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []


def _stat(path: Path) -> os.stat_result | None:
    """Return the state of a file; None when it has gone. A link counts as what it leads to."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _tree(path: Path) -> tuple[int, float]:
    """Return the bytes of disk that a file or a folder takes, and when it last changed."""
    size, modified = 0, 0.0
    # Not `rglob`, for which a folder that goes meanwhile is an error: somebody is at work there.
    inside = (Path(at, name) for at, folders, files in os.walk(path) for name in folders + files)
    with storage_errors(path):
        for each in (path, *inside):
            with suppress(FileNotFoundError):
                status = each.lstat()
                size += status.st_blocks * _BLOCK
                modified = max(modified, status.st_mtime)
    return size, modified
