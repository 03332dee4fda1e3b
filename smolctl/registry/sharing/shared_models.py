"""What of a cache is shared, and under which paths.

A repository is the path of a name, whichever registry the name is of: `ai/smollm2` of Docker Hub
is `/v2/ai/smollm2`. Where two registries have the same tag at the same path, the default registry
comes first, then Docker Hub, then the others by name. Each is also there under its registry's name
(`/v2/ghcr.io/team/model`), and with containerd's `?ns=ghcr.io`: both are exact, and mean no other.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.errors import InvalidReference, ModelNotFound, SmolctlError
from smolctl.model.manifest import Manifest, is_index
from smolctl.model.reference import DOCKER_HUB, ModelId, parse_registry
from smolctl.notes import state_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from smolctl.model.digest import Digest
    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel


@dataclass(frozen=True)
class Selection:
    """Which models are shared: those that have one of these names, or IDs, and not all."""

    names: frozenset[Reference] = frozenset()
    ids: frozenset[Digest] = frozenset()

    @classmethod
    def of(cls, store: Store, given: Sequence[str]) -> Selection:
        """Return what `given`, names and IDs, selects. Raises `ModelNotFound` for what is not here.

        A name stands for whatever model it names later, an ID for that model with all its names.
        """
        names: set[Reference] = set()
        ids: set[Digest] = set()
        for name in given:
            model = store.get(name)
            model_id = ModelId.parse(name)
            reference = None
            if model_id is None or not model_id.matches(model.id):
                reference = store.parse(name)
            if reference is not None and reference.digest is None:
                names.add(reference)
                continue
            if not model.names:
                raise ModelNotFound(
                    f"{model.id.short} has no name here",
                    hint="Others pull by name: give it one with `smolctl model tag`.",
                )
            ids.add(model.id)
        return cls(frozenset(names), frozenset(ids))

    def names_of(self, model: StoredModel) -> tuple[Reference, ...]:
        """Return the names that `model` is shared under."""
        if model.id in self.ids:
            return model.names
        return tuple(name for name in model.names if name in self.names)


@dataclass(frozen=True)
class Shared:
    """A name, and the model that it is shared as."""

    name: Reference
    model: StoredModel


@dataclass(frozen=True)
class _Snapshot:
    """What is shared for as long as the index has `state`; by path, the first to be asked first."""

    state: str | None = None
    models: tuple[StoredModel, ...] = ()
    repositories: Mapping[str, tuple[Shared, ...]] = field(default_factory=dict)


class SharedModels:
    """What of `store` is shared: everything that has a name, or what `selection` says.

    It is as the cache's index is at each question. May be asked from many threads. Everything
    raises `IntegrityError` when the index is damaged, and `StorageError` when it cannot be read.
    """

    def __init__(self, store: Store, selection: Selection | None = None) -> None:
        self.store = store
        self._selection = selection
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._blobs: dict[Digest, dict[Digest, int]] = {}

    @property
    def models(self) -> tuple[StoredModel, ...]:
        """The models that are shared."""
        return self._current().models

    @property
    def repositories(self) -> list[str]:
        """The paths of all repositories, sorted."""
        return sorted(self._current().repositories)

    def hidden(self) -> list[Shared]:
        """Return the tags whose path leads to another model, of a registry that comes first."""
        found = []
        for entries in self._current().repositories.values():
            first: dict[str, Digest] = {}
            for entry in entries:
                tag = entry.name.tag
                if tag is not None and first.setdefault(tag, entry.model.id) != entry.model.id:
                    found.append(entry)
        return found

    def in_repository(self, path: str, namespace: str | None = None) -> tuple[Shared, ...]:
        """Return what the repository at `path` has, the first to be asked first.

        `namespace` is the registry that it must be of (containerd's `ns`).
        """
        repositories = self._current().repositories
        found = repositories.get(path, ())
        if namespace is not None:
            try:
                registry = parse_registry(namespace)
            except InvalidReference:
                return ()
            return tuple(entry for entry in found if entry.name.registry == registry)
        if found:
            return found
        registry, _, rest = path.partition("/")
        return tuple(e for e in repositories.get(rest, ()) if e.name.registry == registry)

    def blobs(self, model: StoredModel) -> Mapping[Digest, int]:
        """Return the sizes of the config and the layers of `model`; nothing where it is damaged."""
        known = self._blobs.get(model.id)
        if known is None:
            try:
                content = self.store.blobs.read(model.manifest, "manifest")
                known = {blob.digest: blob.size for blob in Manifest.parse(content).blobs}
            except SmolctlError:
                return {}  # one damaged model must not hide the others; a pull may mend it
            self._blobs[model.id] = known
        return known

    def _current(self) -> _Snapshot:
        with self._lock:
            state = state_of(str(self.store.index_path))
            if self._snapshot is None or self._snapshot.state != state:
                self._snapshot = self._read(state)
                self._blobs = {}  # another one: threads may be writing into the old one
            return self._snapshot

    def _read(self, state: str | None) -> _Snapshot:
        found: list[Shared] = []
        for model in self.store.models():
            if is_index(model.manifest.media_type):
                continue  # of what it lists, nothing is here
            names = model.names if self._selection is None else self._selection.names_of(model)
            found += [Shared(name, model) for name in names]
        found.sort(key=lambda entry: self._rank(entry.name.registry))
        models = {entry.model.id: entry.model for entry in found}
        repositories: dict[str, list[Shared]] = {}
        for entry in found:
            repositories.setdefault(entry.name.repository, []).append(entry)
        frozen = {path: tuple(entries) for path, entries in repositories.items()}
        return _Snapshot(state, tuple(models.values()), frozen)

    def _rank(self, registry: str) -> tuple[bool, bool, str]:
        return registry != self.store.default_registry, registry != DOCKER_HUB, registry
