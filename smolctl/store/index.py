"""`index.json`: which manifests the cache holds, and under which names.

Each entry's `org.opencontainers.image.ref.name` is the model's familiar name on Docker Hub's
terms (`ai/smollm2:latest`, `localhost:5000/team/m:v1`), so that other OCI tools find it. A model
that no tag names keeps an entry named `repository@digest`, which says where it came from.
Entries that other tools wrote, whatever they are, are kept as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, InvalidReference
from smolctl.model.manifest import ImageIndex
from smolctl.model.reference import Reference
from smolctl.store.names import REF_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest


@dataclass(frozen=True)
class IndexEntry:
    """One line of the index: a manifest, and a name for it if it has a valid one."""

    descriptor: Descriptor
    reference: Reference | None

    @classmethod
    def named(cls, manifest: Descriptor, reference: Reference) -> IndexEntry:
        """Return the entry that gives `manifest` the name `reference`."""
        plain = replace(manifest, annotations={REF_NAME: reference.familiar()})
        return cls(plain, reference)

    @classmethod
    def of(cls, descriptor: Descriptor) -> IndexEntry:
        """Return the entry that `descriptor`, read from an index, makes."""
        name = descriptor.annotations.get(REF_NAME)
        try:
            return cls(descriptor, Reference.parse(name) if name else None)
        except InvalidReference:
            return cls(descriptor, None)


@dataclass(frozen=True)
class Index:
    """The entries of `index.json`, in order; every change returns a new index."""

    entries: tuple[IndexEntry, ...]

    @classmethod
    def read(cls, path: Path) -> Index:
        """Return the index at `path`, an empty one when there is none.

        Raises `IntegrityError` when the file is damaged.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return cls(())
        try:
            index = ImageIndex.parse(content)
        except IntegrityError as error:
            raise IntegrityError(
                f"the cache is damaged: {path}: {error.message}",
                hint="`smolctl model verify --repair` makes a new one of what is here.",
            ) from None
        return cls(tuple(IndexEntry.of(descriptor) for descriptor in index.manifests))

    def to_bytes(self) -> bytes:
        """Return the index as it is stored."""
        return ImageIndex(tuple(entry.descriptor for entry in self.entries)).to_bytes()

    def with_name(self, manifest: Descriptor, reference: Reference) -> Index:
        """Return the index in which `reference` names `manifest`.

        A tag moves; the model that it named before stays, pinned by its digest when this was its
        last name. A reference with a digest moves no tag and adds nothing when the model has a
        name in that repository already.
        """
        if reference.digest is not None:
            if any(self._is_named(entry, manifest.digest, reference) for entry in self.entries):
                return self
            pinned = reference.pinned(manifest.digest)
            return Index((*self.entries, IndexEntry.named(manifest, pinned)))
        kept: list[IndexEntry] = []
        for entry in self.entries:
            if entry.reference == reference:
                if entry.descriptor.digest != manifest.digest and not self._has_other_name(entry):
                    old = reference.pinned(entry.descriptor.digest)
                    kept.append(IndexEntry.named(entry.descriptor, old))
            elif not (
                # The tag says all that the pinned name said, and more.
                self._is_named(entry, manifest.digest, reference)
                and entry.reference is not None
                and entry.reference.tag is None
            ):
                kept.append(entry)
        return Index((*kept, IndexEntry.named(manifest, reference)))

    def without_name(self, reference: Reference) -> Index:
        """Return the index without the entry of that name."""
        return Index(tuple(entry for entry in self.entries if entry.reference != reference))

    def without_manifest(self, digest: Digest) -> Index:
        """Return the index without any entry for that manifest."""
        return Index(tuple(e for e in self.entries if e.descriptor.digest != digest))

    def _has_other_name(self, entry: IndexEntry) -> bool:
        return any(
            other.descriptor.digest == entry.descriptor.digest and other is not entry
            for other in self.entries
        )

    @staticmethod
    def _is_named(entry: IndexEntry, digest: Digest, reference: Reference) -> bool:
        return (
            entry.descriptor.digest == digest
            and entry.reference is not None
            and entry.reference.name == reference.name
        )
