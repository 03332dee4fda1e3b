"""Layers that are archives, unpacked once beside the blobs, with nothing taken on trust.

Source: ModelPack's `.tar`, `.tar+gzip` and `.tar+zstd` layer formats; `diffIds` are, as in the
OCI image specification ("Layer DiffID"), the digests of the uncompressed archives.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import sys
import tarfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any

from smolctl.errors import IntegrityError
from smolctl.model.layer import Layer, Packing, checked_path
from smolctl.store.storage import locked, storage_errors, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.blobs import Blobs

_MAXIMUM_EXPANSION = 200
"""Times its packed size that an archive may unpack to. Weights hardly compress at all."""

_MAXIMUM_FILES = 10_000
_MAXIMUM_EXTENSION = 1024 * 1024  # bytes; a path takes hundreds
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_CHUNK = 1024 * 1024


def unpack(blobs: Blobs, layer: Layer, diff_id: str | None) -> Path:
    """Unpack the archive `layer`, unless it was before, and return the folder of its files.

    `diff_id` is the digest of the uncompressed archive that the config promises, if it does.
    Raises `IntegrityError` for an archive that is broken, is not the promised one, expands
    without bound, or holds anything but plain files and folders inside its own folder.
    """
    target = blobs.unpacked_path(layer.descriptor.digest)
    if target.is_dir():
        return target
    with locked(target.with_suffix(".lock")) as _:
        if not target.is_dir():
            unfinished = target.with_suffix(".new")
            with storage_errors(unfinished), _removed_on_failure(unfinished):
                unfinished.mkdir(parents=True)
                _extract(blobs.path(layer.descriptor.digest), layer, diff_id, unfinished)
                unfinished.rename(target)
                sync_folder(target.parent)
        target.with_suffix(".lock").unlink(missing_ok=True)
    return target


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Leave nothing at `folder` when the block fails: what a bomb wrote must not stay."""
    shutil.rmtree(folder, ignore_errors=True)  # another process may have been killed half-way
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        yield
        undo.pop_all()


def _extract(blob: Path, layer: Layer, diff_id: str | None, folder: Path) -> None:
    limit = max(layer.descriptor.size, 64 * 1024) * _MAXIMUM_EXPANSION
    what = f"layer {layer.descriptor.digest}"
    try:
        with blob.open("rb") as packed:
            stream = _HashedStream(_decompressed(packed, layer.packing), limit, what)
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=BoundedMember) as archive:  # type: ignore[call-overload]
                for number, member in enumerate(archive):
                    if number >= _MAXIMUM_FILES:
                        raise IntegrityError(f"{what} has more than {_MAXIMUM_FILES} files")
                    _extract_member(archive, member, folder)
            stream.drain()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, _zstd_error()) as error:
        raise IntegrityError(f"{what} is a broken archive: {error}") from None
    if diff_id is not None and stream.digest != diff_id:
        raise IntegrityError(f"{what} unpacks to {stream.digest} where {diff_id} was promised")


def _extract_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = member.name.removeprefix("./").rstrip("/")
    if name in ("", ".") and member.isdir():
        return
    target = folder / checked_path(name)
    try:
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            return
        # A sparse file is as long as its header claims, whatever the archive's own size.
        source = archive.extractfile(member) if member.isreg() and not member.issparse() else None
        if source is None:
            raise IntegrityError(f"an archive holds something that is no file: {_shown(member)}")
        target.parent.mkdir(parents=True, exist_ok=True)
        # Owners, modes and times of a stranger's archive mean nothing here.
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())
    except (FileExistsError, NotADirectoryError):
        raise IntegrityError(f"an archive holds a file twice: {_shown(member)}") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise IntegrityError(f"an archive holds a name too long: {_shown(member)}") from None


def _shown(member: tarfile.TarInfo) -> str:
    return repr(member.name[:200])


class BoundedMember(tarfile.TarInfo):
    """A header of an archive; tarfile reads the long names and such that follow it whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> BoundedMember:
        """Parse one header; one that announces too much text about itself is refused."""
        member = super().frombuf(buf, encoding, errors)
        if member.type in _EXTENSIONS and member.size > _MAXIMUM_EXTENSION:
            raise IntegrityError(f"an archive holds a header of {member.size} bytes")
        return member


class _HashedStream:
    """A file to read from that hashes what passes and refuses to pass more than `limit` bytes."""

    def __init__(self, source: IO[bytes], limit: int, what: str) -> None:
        self._source = source
        self._left = limit
        self._what = what
        self._hasher = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, as files do."""
        content = self._source.read(size if size >= 0 else _CHUNK)
        self._left -= len(content)
        if self._left < 0:
            raise IntegrityError(
                f"{self._what} unpacks to more than {_MAXIMUM_EXPANSION} times its size"
            )
        self._hasher.update(content)
        return content

    def drain(self) -> None:
        """Read to the end: tar stops at its end mark, and the digest covers what follows too."""
        while self.read(_CHUNK):
            pass

    @property
    def digest(self) -> str:
        """The digest of what was read so far."""
        return f"sha256:{self._hasher.hexdigest()}"


def _decompressed(packed: IO[bytes], packing: Packing) -> IO[bytes]:
    if packing is Packing.TAR_GZIP:
        return gzip.open(packed, "rb")  # type: ignore[return-value]
    if packing is Packing.TAR_ZSTD:
        opened: IO[bytes] = _zstd().open(packed, "rb")
        return opened
    return packed


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _zstd_error() -> type[Exception]:
    error: type[Exception] = _zstd().ZstdError
    return error
