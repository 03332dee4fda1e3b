"""A blob on its way in: a file with gaps, a journal of what is in it, the hash of its beginning.

Bytes may come in any order and from several threads. Two rules keep the digest honest: a byte
that is there is never written again, and what is hashed is read back from the file. So the hash
is that of the file, whoever wrote it and when; and because the hash follows the writing closely,
the bytes it reads are still in memory.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, StorageError
from smolctl.store.extents import Extent, Extents
from smolctl.store.journal import Journal, boot_id, read_journal
from smolctl.store.storage import storage_errors, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor

_NOTED = 1024 * 1024
"""Bytes that are written in a row before the journal hears of them."""

_HASHED_AT_ONCE = 1024 * 1024
_BLOCK = 512
"""Bytes in the unit of `st_blocks`, on every platform that has it."""


class PartialBlob:
    """The unfinished `blob` in the file `path`, whose lock on the descriptor `handle` we hold.

    Takes up what an earlier process left, as far as its journal can be trusted. `write` may be
    called from several threads at once, `sync` and `note` beside anything; the rest from one
    thread at a time, and `restart`, `commit` and `close` when nobody writes. All raise
    `StorageError` when the file cannot be read or written.
    """

    def __init__(self, blob: Descriptor, path: Path, target: Path, handle: int) -> None:
        self.blob = blob
        self._path = path
        self._target = target
        self._handle = handle
        self._is_ours = True  # what is at `path`: until it has its name, is removed, or let go
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._journal: Journal | None = None
        self._unnoted: dict[int, int] = {}  # start of a run of bytes by its end
        self._whole = Extent(0, blob.size)
        self._buffer = memoryview(bytearray(min(_HASHED_AT_ONCE, blob.size)))
        with storage_errors(path):
            found = self._find_what_is_there()
            if not found.total:
                # The journal first: it must never speak of bytes that are thrown away.
                self._forget_journal()
                os.ftruncate(handle, 0)
            os.ftruncate(handle, blob.size)
        self._begin(found)

    def __enter__(self) -> PartialBlob:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def resumed(self) -> int:
        """Bytes that were there already when this process took the blob up."""
        return self._resumed

    @property
    def written(self) -> int:
        """Bytes that are there now."""
        with self._lock:
            return self._extents.total

    @property
    def is_whole(self) -> bool:
        """Whether every byte is there; what they are is not checked yet."""
        return self.written == self.blob.size

    def gaps(self) -> list[Extent]:
        """Return what is missing, in order."""
        with self._lock:
            return self._extents.gaps(self._whole)

    def write(self, offset: int, chunk: bytes) -> int:
        """Write `chunk` at `offset`, where nothing is yet; returns how many bytes were new.

        Raises `IntegrityError` when the chunk reaches past the blob's end.
        """
        extent = Extent(offset, offset + len(chunk))
        if extent.end > self.blob.size:
            raise IntegrityError(
                f"blob {self.blob.digest} is longer than the {self.blob.size} bytes"
                " its descriptor says"
            )
        view = memoryview(chunk)
        # One at a time, as in the kernel, which lets one write into a file: of two that bring the
        # same bytes, the second must not write over what the first has, and may be hashed.
        with self._writing:
            with self._lock:
                gaps = self._extents.gaps(extent)
            for gap in gaps:
                with storage_errors(self._path):
                    _write_at(self._handle, view[gap.start - offset : gap.end - offset], gap.start)
                with self._lock:
                    self._extents.add(gap)
                    self._note(gap)
        return sum(gap.size for gap in gaps)

    def hash_some(self) -> int:
        """Hash the next bytes of the beginning that is there without a gap; 0 when there are none.

        Returns how many bytes were hashed, a mebibyte at most, so that the caller can stop.
        """
        with self._lock:
            ahead = self._extents.prefix - self._hashed
        if not ahead:
            return 0
        with storage_errors(self._path):
            count = os.preadv(self._handle, [self._buffer[:ahead]], self._hashed)
        if not count:
            raise StorageError(f"{self._path} was cut short while it was written")
        self._hasher.update(self._buffer[:count])
        self._hashed += count
        return count

    def note(self) -> None:
        """Have the journal hear of every byte that is there, for a writer that cannot be ended."""
        with self._lock:
            if self._is_ours:
                self._note_the_rest()

    def sync(self) -> None:
        """Make what is there durable, and have the journal say so. Returns when it is on disk."""
        with self._syncing:
            with self._lock:
                self._note_the_rest()
                journal = self._journal
            if journal is None:
                return
            noted = journal.length
            with storage_errors(self._path):
                os.fdatasync(self._handle)
            journal.durable(noted)

    def restart(self) -> None:
        """Throw away every byte that is there."""
        with self._syncing, storage_errors(self._path):
            self._forget_journal()
            os.ftruncate(self._handle, 0)
            os.ftruncate(self._handle, self.blob.size)
            self._begin(Extents())

    def commit(self) -> None:
        """Check the whole against its digest and put it, durably, under its digest's name.

        Raises `IntegrityError` when it is not what its descriptor says; the file stays then.
        """
        if not self.is_whole:
            raise IntegrityError(
                f"blob {self.blob.digest} ended after {self.written} of {self.blob.size} bytes"
            )
        while self.hash_some():
            pass
        if self._hasher.hexdigest() != self.blob.digest.hex:
            actual = f"{self.blob.digest.algorithm}:{self._hasher.hexdigest()}"
            raise IntegrityError(
                f"the registry served wrong bytes: {actual} where {self.blob.digest} was asked for"
            )
        with self._syncing, storage_errors(self._target):
            os.fsync(self._handle)
            # The journal first: without one, a whole file is taken for whole and checked again.
            self._forget_journal()
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(self._target)
            self._is_ours = False
            sync_folder(self._target.parent)

    def discard(self) -> None:
        """Remove the file and its journal, and let go of the lock. May be called twice."""
        with self._syncing, storage_errors(self._path):
            if self._is_ours:
                self._forget_journal()
                self._path.unlink(missing_ok=True)
                self._is_ours = False
        self.close()

    def close(self) -> None:
        """Note what is there for whoever goes on, and let go of the lock. May be called twice."""
        with self._syncing, self._lock:
            if self._handle < 0:
                return
            try:
                if self._is_ours:
                    self._note_the_rest()
                    if not self._extents.total:
                        self._path.unlink(missing_ok=True)
            except (StorageError, OSError):
                pass  # on a full disk, say: what is not noted is fetched again
            self._is_ours = False
            self._unnoted.clear()
            if self._journal is not None:
                self._journal.close()
                self._journal = None
            os.close(self._handle)
            self._handle = -1

    def _begin(self, found: Extents) -> None:
        self._extents = found
        self._resumed = found.total
        self._unnoted.clear()
        self._hasher = self.blob.digest.hasher()
        self._hashed = 0

    def _find_what_is_there(self) -> Extents:
        status = os.fstat(self._handle)
        if status.st_size != self.blob.size:
            return Extents()
        try:
            return read_journal(journal_path(self._path), self.blob, boot_id())
        except IntegrityError:
            return Extents()
        except FileNotFoundError:
            # Killed between the last byte and the rename: whole, if it has no holes.
            is_full = status.st_blocks * _BLOCK >= status.st_size
            return Extents([self._whole] if is_full else [])

    def _note(self, extent: Extent) -> None:
        """Remember a run of bytes, and tell the journal when it has become long."""
        start = self._unnoted.pop(extent.start, extent.start)
        self._unnoted[extent.end] = start
        if extent.end - start >= _NOTED:
            self._tell_journal(Extent(start, extent.end))

    def _note_the_rest(self) -> None:
        for end, start in list(self._unnoted.items()):
            self._tell_journal(Extent(start, end))

    def _tell_journal(self, run: Extent) -> None:
        self._journal_to_write().wrote(run)
        del self._unnoted[run.end]  # only now: on a full disk it is tried again

    def _journal_to_write(self) -> Journal:
        """Open the journal when there is something to write: a small blob never needs one."""
        if self._journal is None:
            path = journal_path(self._path)
            self._journal = Journal(path, self.blob, boot_id(), fresh=not self._resumed)
        return self._journal

    def _forget_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._unnoted.clear()
        journal_path(self._path).unlink(missing_ok=True)


def journal_path(partial: Path) -> Path:
    """Return where the journal of the partial blob at `partial` is."""
    return partial.with_name(f"{partial.name}.journal")


def _write_at(handle: int, view: memoryview, offset: int) -> None:
    while view:
        count = os.pwrite(handle, view, offset)
        view = view[count:]
        offset += count
