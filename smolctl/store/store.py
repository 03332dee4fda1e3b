"""The local cache of models: an OCI image layout that any OCI tool can read.

    SMOLCTL_HOME/
      oci-layout            the layout's version
      index.json            the models and their names; replaced whole, under index.lock
      blobs/sha256/…        manifests, configs, layers; here only after their digest was checked
      partial/…             blobs on their way in
      unpacked/…            the files of layers that are archives; made on demand, never needed
      writers.lock          held, by any number, while blobs are written that have no name yet

A blob is written before the index names it and removed after, so that a crash leaves at most
blobs nobody names. Readers take no lock: they see the old index or the new one.
"""

from __future__ import annotations

import difflib
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import DiskFull, IntegrityError, ModelNotFound, StorageError, UsageError
from smolctl.model.artifact import Artifact
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import MANIFEST_TYPE, Manifest, is_index
from smolctl.model.reference import DOCKER_HUB, ModelId, Reference
from smolctl.store.blobs import Blobs
from smolctl.store.index import Index, IndexEntry
from smolctl.store.storage import lock_file, locked, replace_file, storage_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from smolctl.model.digest import Digest

_LAYOUT_FILE = "oci-layout"
_WRITERS_LOCK = "writers.lock"
_UNFINISHED = frozenset({"partial", "index.lock", _WRITERS_LOCK, f"{_LAYOUT_FILE}.new"})
_EVERYWHERE = frozenset({"lost+found", ".DS_Store"})
"""What Linux puts into the root of a disk, and macOS into any folder."""

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
"""What the file `oci-layout` says. OCI image specification, "Image Layout"."""


@dataclass(frozen=True)
class StoredModel:
    """A model in the cache. `manifest` describes its manifest, whose digest is the model's ID.

    `image_indexes` are those in which it was found, the one model in each, by its names.
    """

    manifest: Descriptor
    names: tuple[Reference, ...]
    image_indexes: Mapping[Reference, Digest] = field(default_factory=dict)

    @property
    def id(self) -> Digest:
        """The model's ID: the SHA-256 of its manifest."""
        return self.manifest.digest

    def is_at(self, repository: str, digest: Digest) -> bool:
        """Whether `repository@digest` is this model, or an image index that it was found in.

        `repository` is with its registry (`Reference.name`); the model has a name in it.
        """
        return any(
            name.name == repository and digest in (self.id, self.image_indexes.get(name))
            for name in self.names
        )

    @property
    def tags(self) -> tuple[Reference, ...]:
        """The names that are tags, without the ones that only say where the model came from."""
        return tuple(name for name in self.names if name.tag is not None)


class Removal(NamedTuple):
    """What `Store.remove` did: names dropped, the model deleted if any, and the bytes freed."""

    untagged: tuple[Reference, ...]
    deleted: Digest | None
    freed: int


class Store:
    """The cache at `root`. Making one touches nothing; the first write makes the folders.

    `default_registry` is the registry of names without one.
    """

    def __init__(self, root: Path, *, default_registry: str = DOCKER_HUB) -> None:
        self.root = root
        self.default_registry = default_registry
        self.blobs = Blobs(root)

    def models(self) -> list[StoredModel]:
        """Return every model, in the order of the index. Raises `IntegrityError` if damaged."""
        return _models(self._index)

    def find(self, name: str) -> StoredModel | None:
        """Return the model that `name` means, by ID or by reference, or None.

        Raises `InvalidReference` when `name` is neither.
        """
        model_id = ModelId.parse(name)
        if model_id is not None:
            for model in self.models():
                if model_id.matches(model.id):
                    return model
            if name != model_id.hex or len(model_id.hex) == 64:
                return None
        return self.find_reference(self.parse(name))

    def find_reference(self, reference: Reference) -> StoredModel | None:
        """Return the model that `reference` names here, or None.

        With a digest, of a manifest or of an image index, the digest decides, and the repository
        must be one that the model has a name in: `other/repo@sha256:…` is not this model, even
        where the bytes would be.
        """
        for model in self.models():
            if reference.digest is not None:
                if model.is_at(reference.name, reference.digest):
                    return model
            elif reference in model.names:
                return model
        return None

    def get(self, name: str) -> StoredModel:
        """Return the model that `name` means. Raises `ModelNotFound` with the nearest names."""
        model = self.find(name)
        if model is None:
            raise ModelNotFound(f"no such model here: {name}", hint=self._suggestion(name))
        return model

    def parse(self, name: str) -> Reference:
        """Return `name` as a reference, with this cache's default registry."""
        return Reference.parse(name, default_registry=self.default_registry)

    def familiar(self, reference: Reference) -> str:
        """Return the shortest name of `reference` that is unambiguous here."""
        return reference.familiar(default_registry=self.default_registry)

    def artifact(self, model: StoredModel) -> Artifact:
        """Return the manifest, config and layers of `model`, checked against their digests.

        Raises `IntegrityError` when the cache is damaged, `NotRunnable` when it is no model.
        """
        manifest = Manifest.parse(self.blobs.read(model.manifest, "manifest"))
        return Artifact.of(manifest, self.blobs.read(manifest.config, "config"))

    def blobs_of(self, manifest: Descriptor) -> tuple[Descriptor, ...]:
        """Return what `manifest` and the blobs that it names are, each digest once.

        Raises `IntegrityError` when it cannot be read: which blobs it names is unknown then.
        """
        if is_index(manifest.media_type):
            raise IntegrityError("an image index written by another tool is not followed")
        named = Manifest.parse(self.blobs.read(manifest, "manifest")).blobs
        return (manifest, *(blob for blob in named if blob.digest != manifest.digest))

    def missing_blobs(self, manifest: Manifest) -> list[Descriptor]:
        """Return the config and layers of `manifest` that are not here, each digest once."""
        return [blob for blob in manifest.blobs if not self.blobs.has(blob)]

    def commit(
        self, content: bytes, reference: Reference, image_index: Digest | None = None
    ) -> StoredModel | None:
        """Name the manifest in `content`, whose blobs are here, as `reference`.

        `image_index` is the digest of the image index that it was found in, if it was in one.

        Returns None, and changes nothing, when a blob is missing after all, because another
        process removed a model that shared it: fetch what is missing and commit again. A
        reference with a digest moves no tag.
        """
        manifest = Manifest.parse(content)
        descriptor = Descriptor.of(content, manifest.media_type or MANIFEST_TYPE)
        self.prepare()
        with self._changing_index() as index:
            if self.missing_blobs(manifest):
                return None
            self.blobs.write_bytes(descriptor, content)
            changed = index.with_name(descriptor, reference, image_index)
            self._write_index(changed)
        return _model(changed, descriptor.digest)

    def tag(self, model: StoredModel, reference: Reference) -> StoredModel:
        """Give `model` the further name `reference`, taking it from whichever model had it."""
        if reference.digest is not None:
            raise UsageError("a digest cannot be given as a name", hint="Name a tag: NAME:TAG")
        with self._changing_index() as index:
            if _model(index, model.id) is None:
                raise ModelNotFound(f"the model {model.id.short} was removed meanwhile")
            changed = index.with_name(model.manifest, reference)
            self._write_index(changed)
        return _model(changed, model.id) or model

    def remove(self, name: str, *, force: bool = False) -> Removal:
        """Drop the name `name`; the model goes with its last name.

        An ID, or a name with a digest, means the model itself: with several tags that needs
        `force`. Blobs that another model uses stay. Raises `ModelNotFound`, and `UsageError`
        when `force` is needed.
        """
        model = self.get(name)
        by_id = ModelId.parse(name)
        reference = None if by_id and by_id.matches(model.id) else self.parse(name)
        tag = reference if reference is not None and reference.digest is None else None
        with self._changing_index() as index:
            current = _model(index, model.id)
            if current is None:
                raise ModelNotFound(f"no such model here: {name}")
            if tag is None and len(current.tags) > 1 and not force:
                names = ", ".join(self.familiar(tag) for tag in current.tags)
                raise UsageError(
                    f"{current.id.short} has several names: {names}",
                    hint="Remove one of the names, or all of them with --force.",
                )
            if tag is not None and len(current.names) > 1:
                self._write_index(index.without_name(tag))
                return Removal((tag,), None, 0)
            freed = self._delete(current, index)
        return Removal(current.names, current.id, freed)

    def remove_untagged(self, model: StoredModel) -> Removal | None:
        """Delete `model`, unless it has a tag, or is gone, by now: None then."""
        with self._changing_index() as index:
            current = _model(index, model.id)
            if current is None or current.tags:
                return None
            freed = self._delete(current, index)
        return Removal(current.names, current.id, freed)

    def drop_unreferenced(self, digests: Collection[Digest]) -> dict[Digest, int]:
        """Delete those of the blobs `digests` that no model names, and what was unpacked of them.

        Returns the bytes of each blob that went. Nothing goes when a manifest cannot be read.
        """
        if not digests:
            return {}
        with self._changing_index() as index:
            return self._drop(set(digests), index)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Have blobs that no model names yet left alone while the block runs.

        Whoever writes blobs, and names their model in the end, does so in it. Any number may at
        once. The layout must be there (`prepare`).
        """
        with locked(self.root / _WRITERS_LOCK, shared=True):
            yield

    @contextmanager
    def nobody_writing(self) -> Iterator[bool]:
        """Keep those that want to be `writing` waiting while the block runs.

        Gives False, and keeps nobody, when somebody is.
        """
        handle = lock_file(self.root / _WRITERS_LOCK, wait=False)
        try:
            yield handle is not None
        finally:
            if handle is not None:
                os.close(handle)

    def prepare(self) -> None:
        """Make the layout's folders and files if they are not there.

        The file `oci-layout` may have been lost: blobs with an index are a cache without it.
        Raises `StorageError` when the folder cannot be made, or is somebody's who keeps other
        things in it.
        """
        layout = self.root / _LAYOUT_FILE
        with storage_errors(self.root):
            if layout.exists():
                return
            try:
                self.root.mkdir(parents=True, exist_ok=True)
            except FileNotFoundError:  # /proc says so of all that is to be made in it
                raise StorageError(
                    f"{self.root} cannot be created",
                    hint="Set SMOLCTL_HOME to a folder of your own.",
                ) from None
            there = {path.name for path in self.root.iterdir()}
            # Unless another process has made the layout, and more, while we looked.
            if there - _UNFINISHED - _EVERYWHERE and not self.is_made:
                raise StorageError(
                    f"{self.root} is not empty and is not a model cache",
                    hint="Set SMOLCTL_HOME to an empty folder, or one that does not exist yet.",
                )
        with locked(self._lock_path):
            replace_file(layout, LAYOUT)
        with storage_errors(self.root):
            (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)

    def remake_index(self) -> list[StoredModel] | None:
        """Make an index of the manifests that are here, where it is damaged or was lost.

        The models have no names then. A damaged index is kept as `index.json.damaged`. Returns the
        models; None when the index is as it should be, or there is nothing to make one of.
        """
        from smolctl.store.lost import manifests_here  # few caches ever need it

        if not self.is_made:
            return None
        self.prepare()
        with locked(self._lock_path):
            is_damaged = False
            try:
                if self.index_path.exists() and self._index is not None:
                    return None
            except IntegrityError:
                is_damaged = True
            found = [IndexEntry.of(manifest) for manifest in manifests_here(self.blobs)]
            if is_damaged:
                with storage_errors(self.index_path):
                    self.index_path.replace(self.index_path.with_name("index.json.damaged"))
            elif not found:
                return None
            remade = Index(tuple(found))
            self._write_index(remade)
        return _models(remade)

    @property
    def is_made(self) -> bool:
        """Whether there is a cache: what lies in a folder that is none is somebody else's."""
        return (self.root / _LAYOUT_FILE).exists() or self._has_lost_its_layout

    @property
    def _has_lost_its_layout(self) -> bool:
        try:
            return (self.root / "blobs").is_dir() and bool(self._index.entries)
        except (IntegrityError, StorageError):
            return False

    @property
    def _index(self) -> Index:
        with storage_errors(self.index_path):
            return Index.read(self.index_path)

    @cached_property
    def index_path(self) -> Path:
        """The file that names the models; it is replaced whole with every change."""
        return self.root / "index.json"

    @cached_property
    def _lock_path(self) -> Path:
        return self.root / "index.lock"

    @contextmanager
    def _changing_index(self) -> Iterator[Index]:
        with locked(self._lock_path):
            yield self._index

    def _write_index(self, index: Index) -> None:
        replace_file(self.index_path, index.to_bytes())

    def _delete(self, model: StoredModel, index: Index) -> int:
        """Take `model` out of `index`, and delete what only it has; returns the bytes freed."""
        try:
            candidates = self._blobs_of(model.manifest)
        except IntegrityError:  # its manifest is damaged: what it named is unknown, and stays
            candidates = {model.id}
        left = index.without_manifest(model.id)
        freed = 0
        try:
            self._write_index(left)
        except DiskFull:
            # What goes makes the room. Its manifest goes last: were this to end here, the model
            # could be removed again.
            freed = sum(self._drop(candidates - {model.id}, left).values())
            self._write_index(left)
        return freed + sum(self._drop(candidates, left).values())

    def _drop(self, candidates: set[Digest], index: Index) -> dict[Digest, int]:
        """Delete those of `candidates` that nothing in `index` names; returns the bytes of each."""
        try:
            for entry in index.entries:
                candidates -= self._blobs_of(entry.descriptor)
        except IntegrityError:
            # A manifest that cannot be read may name any of them: rather keep than destroy.
            return {}
        for digest in candidates:
            shutil.rmtree(self.blobs.unpacked_path(digest), ignore_errors=True)
        return {digest: self.blobs.remove(digest) for digest in candidates}

    def _blobs_of(self, manifest: Descriptor) -> set[Digest]:
        return {blob.digest for blob in self.blobs_of(manifest)}

    def _suggestion(self, name: str) -> str:
        known = [self.familiar(reference) for model in self.models() for reference in model.names]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return "`smolctl model ls` lists the models that are here."


def _models(index: Index) -> list[StoredModel]:
    grouped: dict[Digest, list[IndexEntry]] = {}
    for entry in index.entries:
        grouped.setdefault(entry.descriptor.digest, []).append(entry)
    return [
        StoredModel(
            entries[0].descriptor,
            tuple(entry.reference for entry in entries if entry.reference is not None),
            {
                entry.reference: entry.image_index
                for entry in entries
                if entry.reference is not None and entry.image_index is not None
            },
        )
        for entries in grouped.values()
    ]


def _model(index: Index, digest: Digest) -> StoredModel | None:
    return next((model for model in _models(index) if model.id == digest), None)
