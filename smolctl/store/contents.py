"""Which blobs each model of the cache is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.store.store import Store, StoredModel


@dataclass(frozen=True)
class Contents:
    """A model with its blobs, the manifest first.

    Where the manifest cannot be read, `problem` says why, and it is the only blob that is known.
    """

    model: StoredModel
    blobs: tuple[Descriptor, ...]
    problem: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the blobs, as far as they are known."""
        return sum(blob.size for blob in self.blobs)

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests of the blobs."""
        return frozenset(blob.digest for blob in self.blobs)


def contents_of(store: Store, models: Iterable[StoredModel]) -> list[Contents]:
    """Return what each of `models` is made of. Raises `StorageError`."""
    return [_contents(store, model) for model in models]


def unique_size(blobs: Iterable[Descriptor]) -> int:
    """Return the bytes of `blobs`, each digest counted once."""
    return sum({blob.digest: blob.size for blob in blobs}.values())


def own_size(contents: Contents, others: Iterable[Contents]) -> int:
    """Return the bytes of the blobs that only this model has: what removing it frees."""
    elsewhere = {digest for each in others if each is not contents for digest in each.digests}
    return unique_size(blob for blob in contents.blobs if blob.digest not in elsewhere)


def _contents(store: Store, model: StoredModel) -> Contents:
    try:
        return Contents(model, store.blobs_of(model.manifest))
    except IntegrityError as error:
        return Contents(model, (model.manifest,), error.message)
