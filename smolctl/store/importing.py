"""Taking a file of this machine into the cache: copied and hashed in one pass.

A file system that can share blocks (btrfs, XFS, bcachefs) shares them. No hard links: whoever
writes to the file later would write into a blob.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.store.storage import check_room, storage_errors, sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from smolctl.store.blobs import Blobs

_CLONE = 0x40049409
"""FICLONE of Linux: ioctl_ficlone(2)."""

_PIECE = 1024 * 1024


def import_file(
    blobs: Blobs, path: Path, tell: Callable[[int], None] = lambda _: None
) -> Descriptor:
    """Take the file at `path` into `blobs`, and return its descriptor, without a media type.

    `tell` hears how many bytes are done. The folder of unfinished blobs must be there. Raises
    `StorageError` when it cannot be read, or does not fit.
    """
    folder = scratch_folder(blobs)
    with storage_errors(path), path.open("rb") as source:
        size = os.fstat(source.fileno()).st_size
        with storage_errors(blobs.root):
            handle, name = tempfile.mkstemp(prefix="import-", dir=folder)
        temporary = Path(name)
        try:
            with storage_errors(temporary), os.fdopen(handle, "w+b") as target:
                is_shared = _share(source, target)
                if not is_shared:
                    check_room(folder, size)
                digest = _hash(target if is_shared else source, None if is_shared else target, tell)
                length = target.seek(0, os.SEEK_END)
                target.flush()
                os.fsync(target.fileno())
                os.fchmod(target.fileno(), 0o644)
                descriptor = Descriptor("application/octet-stream", digest, length)
                if not blobs.has(descriptor):
                    final = blobs.path(digest)
                    final.parent.mkdir(parents=True, exist_ok=True)
                    temporary.replace(final)
                    sync_folder(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return descriptor


def scratch_folder(blobs: Blobs) -> Path:
    """Return the folder for files on their way into `blobs`, on the same disk; it is there then."""
    folder = blobs.root / "partial"
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _share(source: BinaryIO, target: BinaryIO) -> bool:
    """Give `target` the blocks of `source`, where the file system can."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target.fileno(), _CLONE, source.fileno())
    except OSError:
        return False
    return True


def _hash(source: BinaryIO, target: BinaryIO | None, tell: Callable[[int], None]) -> Digest:
    hasher = hashlib.sha256()
    done = 0
    while piece := source.read(_PIECE):
        hasher.update(piece)
        if target is not None:
            target.write(piece)
        done += len(piece)
        tell(done)
    return Digest("sha256", hasher.hexdigest())
