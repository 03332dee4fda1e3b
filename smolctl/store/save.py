"""Models of the cache written as one tar: an OCI image layout, for machines without a network.

The same models make the same bytes. The index comes first, each blob once, and each is hashed on
its way out. Source: OCI image specification, "Image Layout".
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import ImageIndex, Manifest
from smolctl.store.blobs import REPAIR_HINT
from smolctl.store.index import IndexEntry
from smolctl.store.storage import storage_errors
from smolctl.store.store import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel

IMAGE_NAME = "io.containerd.image.name"
"""Annotation of an index entry in which Docker's tools look for the whole name."""


def blobs_of(store: Store, models: Sequence[StoredModel]) -> list[Descriptor]:
    """Return the blobs of `models`, each once: manifests and configs first, then layers.

    Raises `IntegrityError` when one is missing.
    """
    documents: dict[str, Descriptor] = {}
    layers: dict[str, Descriptor] = {}
    for model in models:
        manifest = Manifest.parse(store.blobs.read(model.manifest, "manifest"))
        store.blobs.check(manifest.blobs)
        for blob in (model.manifest, manifest.config):
            documents.setdefault(str(blob.digest), blob)
        for blob in manifest.layers:
            layers.setdefault(str(blob.digest), blob)
    return list((documents | layers).values())


def save(
    store: Store,
    named: Sequence[tuple[StoredModel, Reference]],
    target: IO[bytes],
    tell: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the models, each under its name, to `target` as a tar.

    `tell` hears how many bytes of blobs are written. Raises `IntegrityError` when a blob here is
    damaged: what was written is to be thrown away then. What writing raises passes through.
    """
    blobs = blobs_of(store, [model for model, _ in named])
    index = ImageIndex(tuple(_entry(model, reference) for model, reference in named)).to_bytes()
    done = 0

    def tell_more(count: int) -> None:
        nonlocal done
        done += count
        tell(done)

    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("oci-layout", LAYOUT), ("index.json", index)):
            _add(archive, name, len(content), io.BytesIO(content))
        for blob in blobs:
            path = store.blobs.path(blob.digest)
            with storage_errors(path):
                file = path.open("rb")
            with file:
                checked = _Checked(file, blob, tell_more)
                _add(
                    archive, f"blobs/{blob.digest.algorithm}/{blob.digest.hex}", blob.size, checked
                )
                checked.verify()


def _entry(model: StoredModel, reference: Reference) -> Descriptor:
    entry = IndexEntry.named(model.manifest, reference).descriptor
    annotations = {**entry.annotations, IMAGE_NAME: reference.canonical}
    return Descriptor(entry.media_type, entry.digest, entry.size, annotations)


def _add(archive: tarfile.TarFile, name: str, size: int, content: _Checked | io.BytesIO) -> None:
    member = tarfile.TarInfo(name)  # its owner, mode and time are fixed: root, 0644, 1970
    member.size = size
    archive.addfile(member, content)  # type: ignore[arg-type]


class _Checked:
    """A blob's file to read from, hashed as it is read."""

    def __init__(self, file: IO[bytes], blob: Descriptor, tell: Callable[[int], None]) -> None:
        self._file = file
        self._blob = blob
        self._tell = tell
        self._hasher = blob.digest.hasher()

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes. Raises `IntegrityError` where the file ends too early."""
        with storage_errors(Path(self._file.name)):
            content = self._file.read(size)
        if len(content) < size:
            raise IntegrityError(
                f"the cache is damaged: blob {self._blob.digest} was cut short", hint=REPAIR_HINT
            )
        self._hasher.update(content)
        self._tell(len(content))
        return content

    def verify(self) -> None:
        """Raise `IntegrityError` when what was read is not the blob."""
        if self._hasher.hexdigest() != self._blob.digest.hex:
            raise IntegrityError(
                f"the cache is damaged: blob {self._blob.digest} has other bytes",
                hint=f"What was saved is of no use. {REPAIR_HINT}",
            )
