"""The journal of a partial blob: which of its bytes are written, in a form that survives a crash.

A text file, only ever appended to, each line with a checksum of its own:

    blob sha256:… 725000000 …       what it is the journal of; the first line
    boot 0c9cdd08-… …               a process began to write, under this boot of the machine
    wrote 0 1048576 …               these bytes were handed to the kernel
    durable 4711 …                  what the first 4711 bytes of the journal say is on the disk

A killed process loses nothing that it wrote: the kernel has it. A machine that goes down loses
what was not on the disk yet. So what a line says is believed when a `durable` line vouches for it,
or when the machine has not been started anew since. The digest of the whole decides in the end; the
journal only saves fetching again what is there.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections import deque
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, StorageError
from smolctl.store.extents import Extent, Extents
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_MAXIMUM_SIZE = 64 * 1024 * 1024
"""Bytes of the longest journal that is read: enough for a blob of a terabyte."""


def boot_id() -> str:
    """Return a name for this run of the machine's kernel; a fresh one where there is none."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:  # noqa: PTH123
            name = file.read().strip()
    except (OSError, ValueError):
        name = ""
    return name or os.urandom(16).hex()  # nothing is believed then but what is durable


def read_journal(path: Path, blob: Descriptor, boot: str) -> Extents:
    """Return the bytes of `blob` that the journal at `path` vouches for under the boot `boot`.

    An unfinished last line is what a crash leaves, or zeros on some file systems, and is passed
    over. Raises `IntegrityError`
    when anything else is wrong (the journal is damaged, or another blob's, and nothing in it can
    be trusted) and `FileNotFoundError` when there is none.
    """
    with path.open("rb") as file:
        content = file.read(_MAXIMUM_SIZE + 1)
    if len(content) > _MAXIMUM_SIZE:
        raise IntegrityError(f"{path} is longer than any journal is")
    first, *rest = content.split(b"\n")[:-1] or [b""]
    if _checked(first) != _header(blob):
        raise IntegrityError(f"{path} is not the journal of {blob.digest}")
    believed = Extents()
    pending: deque[tuple[int, Extent]] = deque()
    last_boot = None
    position = len(first) + 1
    for line in rest:
        position += len(line) + 1
        match _checked(line).split():
            case ["boot", name]:
                if name != last_boot:
                    pending.clear()
                last_boot = name
            case ["wrote", start, end] if start.isdecimal() and end.isdecimal():
                extent = Extent(int(start), int(end))
                if not extent.start < extent.end <= blob.size:
                    raise IntegrityError(f"{path} speaks of bytes that the blob does not have")
                pending.append((position, extent))
            case ["durable", mark] if mark.isdecimal():
                while pending and pending[0][0] <= int(mark):
                    believed.add(pending.popleft()[1])
            case _:
                raise IntegrityError(f"{path} is damaged")
    if last_boot == boot:
        for _, extent in pending:
            believed.add(extent)
    return believed


class Journal:
    """The journal at `path`, open for appending by the one process that holds the blob's lock."""

    def __init__(self, path: Path, blob: Descriptor, boot: str, *, fresh: bool) -> None:
        """Open the journal; `fresh` begins a new one. Raises `StorageError`."""
        self._path = path
        self._appending = threading.Lock()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        with storage_errors(path):
            self._handle = os.open(path, flags | (os.O_TRUNC if fresh else 0), 0o644)
        try:
            self._drop_unfinished_line()
            lines = [_header(blob)] if fresh else []
            self._append(*lines, f"boot {boot}")
        except StorageError:
            self.close()
            raise

    def wrote(self, extent: Extent) -> None:
        """Note that the bytes of `extent` were written."""
        self._append(f"wrote {extent.start} {extent.end}")

    @property
    def length(self) -> int:
        """Bytes of the journal so far: what `durable` is told after the blob was synced."""
        return os.fstat(self._handle).st_size

    def durable(self, length: int) -> None:
        """Note, durably, that what the first `length` bytes of the journal say is on the disk."""
        self._append(f"durable {length}")
        with storage_errors(self._path):
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file; what was noted stays."""
        os.close(self._handle)

    def _append(self, *lines: str) -> None:
        content = b"".join(_with_checksum(line.encode("ascii")) + b"\n" for line in lines)
        with self._appending, storage_errors(self._path):
            length = self.length
            try:
                while content:
                    content = content[os.write(self._handle, content) :]
            except OSError:
                # A full disk takes half a line, and the next would be damaged by it.
                os.ftruncate(self._handle, length)
                raise

    def _drop_unfinished_line(self) -> None:
        with storage_errors(self._path):
            content = self._path.read_bytes()
            if content and not content.endswith(b"\n"):
                os.ftruncate(self._handle, content.rfind(b"\n") + 1)


def _header(blob: Descriptor) -> str:
    return f"blob {blob.digest} {blob.size}"


def _with_checksum(text: bytes) -> bytes:
    return b"%s %08x" % (text, zlib.crc32(text))


def _checked(line: bytes) -> str:
    """Return what `line` says, or nothing when its checksum is wrong."""
    text = line.rpartition(b" ")[0]
    return text.decode("ascii") if text.isascii() and _with_checksum(text) == line else ""
