"""The GGUF header of a blob in a registry, read without its weights.

A header is a few kilobytes without its vocabulary and up to 16 MiB with one of 256,000 tokens. So
the blob's beginning is asked for in ranges, each to end four times as far as the one before, and
only when the header goes on. A registry that does not serve ranges sends the whole blob: what the
header needs is read of it, and then the connection is closed.

The bytes are part of a blob, so no digest speaks for them: they are good for showing, and what is
pulled later is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from smolctl.model.gguf import read_header
from smolctl.registry.blob_stream import BlobStream, RangeIgnored
from smolctl.registry.retry import TransientFailure, retrying

if TYPE_CHECKING:
    from typing import BinaryIO

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.gguf import GGUFHeader
    from smolctl.registry.client import RegistryClient

_KIB = 1024
RANGE_ENDS = (256 * _KIB, 1024 * _KIB, 4096 * _KIB, 16384 * _KIB)
"""Where the ranges end, in bytes from the blob's beginning. Nothing beyond the last is read."""


def read_remote_header(client: RegistryClient, repository: str, blob: Descriptor) -> GGUFHeader:
    """Return the GGUF header at the beginning of `blob`.

    Raises `InvalidGGUF` for what is no GGUF file, `TruncatedHeader` for a header of more than 16
    MiB, and what `RegistryClient.open_blob` raises, after retries.
    """
    beginning = _Beginning(client, repository, blob)
    try:
        return read_header(cast("BinaryIO", beginning), size=blob.size)
    finally:
        beginning.close()


class _Beginning:
    """The first bytes of a blob as a stream, fetched as they are read."""

    def __init__(self, client: RegistryClient, repository: str, blob: Descriptor) -> None:
        self._client = client
        self._repository = repository
        self._blob = blob
        self._at = 0
        self._limit = min(blob.size, RANGE_ENDS[-1])
        self._stream: BlobStream | None = None
        self._stream_end = 0
        self._serves_ranges = True

    def read(self, count: int) -> bytes:
        """Return up to `count` of the next bytes; none at the blob's end or beyond the limit."""
        wanted = min(count, self._limit - self._at)
        if not wanted:
            return b""
        return retrying(lambda: self._read(wanted), self._client.retries)

    def close(self) -> None:
        """Hang up, whatever is still to come."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self, count: int) -> bytes:
        stream = self._stream or self._open()
        try:
            piece = stream.read(count)
        except TransientFailure:
            self.close()
            raise
        self._at += len(piece)
        if self._at == self._stream_end:
            self.close()
        return piece

    def _open(self) -> BlobStream:
        """Ask for the bytes from where we are on."""
        if self._serves_ranges:
            ends = (min(end, self._blob.size) for end in RANGE_ENDS)
            self._stream_end = next(end for end in ends if end > self._at)
            try:
                self._stream = self._ask(self._at, self._stream_end)
            except RangeIgnored:
                self._serves_ranges = False
        if self._stream is None:
            self._stream_end = self._blob.size
            self._stream = self._ask(0, self._blob.size)
            self._skip(self._stream, self._at)
        return self._stream

    def _ask(self, start: int, end: int) -> BlobStream:
        return self._client.open_blob(self._repository, self._blob, start, end)

    def _skip(self, stream: BlobStream, count: int) -> None:
        """Pass over what was read before a connection failed."""
        try:
            while count:
                count -= len(stream.read(count))
        except TransientFailure:
            self.close()
            raise
