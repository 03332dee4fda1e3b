"""Copying a model between registries: each blob streams through, hashed, and none stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.model.config import ConfigSchema
from smolctl.model.manifest import Manifest
from smolctl.registry.blob_stream import RangeIgnored
from smolctl.registry.next_step import next_step, own_name
from smolctl.registry.pull import resolve_index
from smolctl.registry.push import Push, is_there, send_blobs
from smolctl.registry.source import first, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.reference import Reference
    from smolctl.registry.blob_stream import BlobStream
    from smolctl.registry.client import RemoteManifest
    from smolctl.registry.progress import Progress
    from smolctl.registry.source import Source
    from smolctl.registry.transfer_options import TransferOptions
    from smolctl.registry.upload_client import UploadClient

_PIECE = 64 * 1024


def copy(
    sources: Sequence[Source],
    origin: Reference,
    client: UploadClient,
    target: Reference,
    progress: Progress,
    options: TransferOptions,
) -> Push:
    """Bring the model `origin`, from the first of `sources` that has it, to `target`.

    `client` is of the target's registry. What is there is not fetched; within one registry blobs
    are mounted. Raises what `pull` and `push` do, and `IntegrityError` when a source serves other
    bytes than a blob's; then the target has no manifest that names them.
    """

    def ask(source: Source) -> tuple[Source, RemoteManifest]:
        named = source.reference(origin)
        remote = source.client.fetch_manifest(named)
        return source, resolve_index(source.client, named, remote)

    with next_step(sources, origin):
        source, remote = first(sources, ask, telling(progress.notice))
    manifest = Manifest.parse(remote.content)
    ConfigSchema.of(manifest.config.media_type)
    digest = remote.descriptor.digest
    size = sum(blob.size for blob in manifest.blobs)
    if is_there(client, target, digest):
        return Push(target, digest, size, 0, 0, changed=False)
    is_same = origin.registry == target.registry and origin.repository != target.repository
    with own_name(target):
        uploads = send_blobs(
            client,
            manifest.blobs,
            lambda blob: _RemoteBlob(source, blob).read,
            progress,
            options,
            dict.fromkeys((blob.digest for blob in manifest.blobs), origin.repository)
            if is_same
            else {},
        )
        client.put_manifest(target, remote.descriptor, remote.content)
    sent = sum(upload.sent for upload in uploads)
    mounted = sum(upload.blob.size for upload in uploads if upload.mounted_from)
    return Push(target, digest, size, sent, mounted, changed=True)


class _RemoteBlob:
    """A blob of a source, read from its beginning on, over one connection while that holds.

    Its bytes may be asked for again from any offset: then another connection is made.
    """

    def __init__(self, source: Source, blob: Descriptor) -> None:
        self._source = source
        self._blob = blob
        self._stream: BlobStream | None = None
        self._position = 0

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Give the bytes from `start` up to `end`. Raises as `RegistryClient.open_blob` does."""
        stream = self._stream
        if stream is None or self._position != start:
            stream = self._open(start)
        goes_on = False
        try:
            while self._position < end:
                piece = stream.read(min(_PIECE, end - self._position))
                self._position += len(piece)
                yield piece
            goes_on = end < self._blob.size
        finally:
            if not goes_on:  # it is read to its end, or broke
                stream.close()
                self._stream = None

    def _open(self, start: int) -> BlobStream:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        client, size = self._source.client, self._blob.size
        try:
            stream = client.open_blob(self._source.repository, self._blob, start, size)
            self._position = start
        except RangeIgnored:
            stream = client.open_blob(self._source.repository, self._blob, 0, size)
            self._position = 0
            while self._position < start:
                self._position += len(stream.read(min(_PIECE, start - self._position)))
        self._stream = stream
        return stream
