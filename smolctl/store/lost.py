"""Manifests that are here though no index names them: what is left of models when it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model import document
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.manifest import Manifest
from smolctl.store.leftovers import blob_files
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.blobs import Blobs
    from smolctl.store.store import Store


def has_lost_its_index(store: Store) -> bool:
    """Whether there are models in `store`, and no index that could name them."""
    return not store.index_path.exists() and any(manifests_here(store.blobs))


def manifests_here(blobs: Blobs) -> Iterator[Descriptor]:
    """Yield each blob that is a manifest, and whole. Raises `StorageError`."""
    for digest, path in blob_files(blobs):
        content = _read_small(path)
        if content.lstrip()[:1] != b"{" or Digest.of(content, digest.algorithm) != digest:
            continue
        try:
            manifest = Manifest.parse(content)
        except IntegrityError:
            continue
        yield Descriptor(manifest.media_type, digest, len(content))


def _read_small(path: Path) -> bytes:
    """Return the content of a file that is as small as a document; of a larger one, nothing."""
    with storage_errors(path):
        try:
            return path.read_bytes() if path.stat().st_size <= document.MAXIMUM_SIZE else b""
        except FileNotFoundError:
            return b""
