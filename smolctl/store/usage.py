"""What the cache takes of the disk, and how much of that no model with a tag needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.store.contents import Contents, contents_of, own_size, unique_size
from smolctl.store.leftovers import Kind, Leftover, unfinished, unnamed_blobs, unpacked
from smolctl.store.lost import has_lost_its_index
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.store.store import Store


@dataclass(frozen=True)
class Share:
    """One kind of what the cache holds: how many, their bytes, and those that can be had back."""

    count: int
    size: int
    reclaimable: int


@dataclass(frozen=True)
class Usage:
    """What is in the cache. `archives` belong to models, or are left over.

    `free` and `capacity` are bytes of the disk. `is_unindexed` is whether the index was lost.
    """

    models: tuple[Contents, ...]
    blobs: tuple[Leftover, ...]
    unfinished: tuple[Leftover, ...]
    archives: tuple[Leftover, ...]
    free: int
    capacity: int
    is_unindexed: bool

    @property
    def is_known(self) -> bool:
        """Whether it is known which blobs have a name: from the index, and from every manifest."""
        return not self.is_unindexed and all(contents.problem is None for contents in self.models)

    def own(self, contents: Contents) -> int:
        """Return the bytes that removing the model frees."""
        return own_size(contents, self.models)

    @property
    def of_models(self) -> Share:
        """The models; those that no tag names can go."""
        kept = {digest for each in self.models if each.model.tags for digest in each.digests}
        all_blobs = [blob for each in self.models for blob in each.blobs]
        loose = [blob for blob in all_blobs if blob.digest not in kept]
        return Share(
            len(self.models), unique_size(all_blobs), unique_size(loose) if self.is_known else 0
        )

    @property
    def of_blobs(self) -> Share:
        """Blobs that no model names."""
        size = sum(blob.size for blob in self.blobs)
        return Share(len(self.blobs), size, size if self.is_known else 0)

    @property
    def of_unfinished(self) -> Share:
        """What is on its way in, or was; what a process is writing stays."""
        size = sum(each.size for each in self.unfinished)
        busy = sum(each.size for each in self.unfinished if each.is_locked)
        return Share(len(self.unfinished), size, size - busy)

    @property
    def of_archives(self) -> Share:
        """Unpacked archives; those of no model can go."""
        named = {digest for each in self.models for digest in each.digests}
        size = sum(each.size for each in self.archives)
        loose = sum(each.size for each in self.archives if each.digest not in named)
        return Share(len(self.archives), size, loose if self.is_known else 0)

    @property
    def total(self) -> Share:
        """All of that."""
        shares = (self.of_models, self.of_blobs, self.of_unfinished, self.of_archives)
        return Share(
            sum(share.count for share in shares),
            sum(share.size for share in shares),
            sum(share.reclaimable for share in shares),
        )

    @property
    def oldest_partial(self) -> float | None:
        """When the oldest partial blob last changed, in seconds since the epoch."""
        return min(
            (each.modified for each in self.unfinished if each.kind is Kind.partial), default=None
        )


def measure(store: Store) -> Usage:
    """Return what the cache takes. Nothing is locked: what changes meanwhile is counted or not.

    Raises `IntegrityError` when the index is damaged, and `StorageError`.
    """
    models = contents_of(store, store.models())
    named = {digest for each in models for digest in each.digests}
    free, capacity = _disk(store.root)
    return Usage(
        tuple(models),
        tuple(unnamed_blobs(store, named)),
        tuple(unfinished(store)),
        tuple(unpacked(store)),
        free,
        capacity,
        has_lost_its_index(store),
    )


def _disk(root: Path) -> tuple[int, int]:
    """Return the free bytes, and all, of the disk that `root` is on, or will be."""
    there = next(path for path in (root, *root.parents) if path.exists())
    with storage_errors(there):
        disk = os.statvfs(there)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
