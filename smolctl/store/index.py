"""`index.json`: which manifests the cache holds, and under which names.

Each entry's `org.opencontainers.image.ref.name` is the model's familiar name on Docker Hub's
terms (`ai/smollm2:latest`, `localhost:5000/team/m:v1`), so that other OCI tools find it. A model
that no tag names keeps an entry named `repository@digest`, which says where it came from.
Entries that other tools wrote, whatever they are, are kept as they stand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import IntegrityError, InvalidReference
from smolctl.model.digest import Digest
from smolctl.model.manifest import ImageIndex
from smolctl.model.reference import Reference
from smolctl.store.names import REF_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor

_IMAGE_INDEX = "smolctl.image-index.digest"
"""Annotation of an entry: the image index of which its manifest is the one model."""


class IndexEntry(NamedTuple):
    """One line of the index: a manifest, and a name for it if it has a valid one."""

    descriptor: Descriptor
    reference: Reference | None

    @classmethod
    def named(
        cls, manifest: Descriptor, reference: Reference, image_index: Digest | None = None
    ) -> IndexEntry:
        """Return the entry that gives `manifest`, found in `image_index`, the name `reference`."""
        annotations = {REF_NAME: reference.familiar()}
        if image_index is not None:
            annotations[_IMAGE_INDEX] = str(image_index)
        return cls(replace(manifest, annotations=annotations), reference)

    @classmethod
    def of(cls, descriptor: Descriptor) -> IndexEntry:
        """Return the entry that `descriptor`, read from an index, makes."""
        name = descriptor.annotations.get(REF_NAME)
        try:
            return cls(descriptor, Reference.parse(name) if name else None)
        except InvalidReference:
            return cls(descriptor, None)

    @property
    def image_index(self) -> Digest | None:
        """The digest of the image index that the manifest was found in, if it was in one."""
        try:
            return Digest.parse(self.descriptor.annotations.get(_IMAGE_INDEX, ""))
        except IntegrityError:
            return None


class Index:
    """The entries of `index.json`, in order; every change returns a new index."""

    def __init__(self, entries: tuple[IndexEntry, ...]) -> None:
        self.entries = entries

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

    def with_name(
        self, manifest: Descriptor, reference: Reference, image_index: Digest | None = None
    ) -> Index:
        """Return the index in which `reference` names `manifest`, found in `image_index` if in one.

        A tag moves; the model that it named before stays, pinned by its digest when this was its
        last name. A reference with a digest moves no tag and adds no entry when the model has a
        name in that repository already.
        """
        if reference.digest is not None:
            return self._with_digest(manifest, reference, image_index)
        kept: list[IndexEntry] = []
        for entry in self.entries:
            if entry.reference == reference:
                if entry.descriptor.digest != manifest.digest and not self._has_other_name(entry):
                    old = reference.pinned(entry.descriptor.digest)
                    kept.append(IndexEntry.named(entry.descriptor, old, entry.image_index))
            elif (
                # The tag says all that the pinned name said, and more.
                self._is_named(entry, manifest.digest, reference)
                and entry.reference is not None
                and entry.reference.tag is None
            ):
                image_index = image_index or entry.image_index
            else:
                kept.append(entry)
        return Index((*kept, IndexEntry.named(manifest, reference, image_index)))

    def _with_digest(
        self, manifest: Descriptor, reference: Reference, image_index: Digest | None
    ) -> Index:
        entries = list(self.entries)
        for place, entry in enumerate(entries):
            if self._is_named(entry, manifest.digest, reference) and entry.reference is not None:
                if image_index is None:
                    return self
                entries[place] = IndexEntry.named(manifest, entry.reference, image_index)
                return Index(tuple(entries))
        pinned = reference.pinned(manifest.digest)
        return Index((*entries, IndexEntry.named(manifest, pinned, image_index)))

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
