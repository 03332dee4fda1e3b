"""Pulling a model: its manifest, then the blobs that are not here, then its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, ModelNotFound, StorageError
from smolctl.model import document
from smolctl.model.artifact import Artifact
from smolctl.model.config import ConfigSchema
from smolctl.model.manifest import ImageIndex, Manifest, is_index
from smolctl.registry.next_step import next_step
from smolctl.registry.progress import NoProgress, NoticesAlone
from smolctl.registry.source import first, telling
from smolctl.registry.transfer import Transfer
from smolctl.registry.transfer_options import TransferOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.model.reference import Reference
    from smolctl.registry.client import RegistryClient, RemoteManifest
    from smolctl.registry.progress import Progress
    from smolctl.registry.source import Source
    from smolctl.store.store import Store, StoredModel

_COMMIT_ATTEMPTS = 5


@dataclass(frozen=True)
class Pull:
    """What a pull did. `fetched` is in bytes: what came of the layers.

    `changed` says whether anything is here now that was not: bytes, the model, or its name.
    """

    model: StoredModel
    reference: Reference
    fetched: int
    changed: bool
    moved_from: StoredModel | None
    """The model that the tag named before, when the tag moved."""


def pull(
    store: Store,
    sources: Sequence[Source],
    reference: Reference,
    progress: Progress | None = None,
    options: TransferOptions = TransferOptions(),  # noqa: B008 - it is frozen
) -> Pull:
    """Bring the model that `reference` names into `store`, from the first source that has it.

    It is named as it was asked for, whichever source it came from. Blobs that are here are not
    fetched again, also when they came with another model; the others come from the source that
    had the manifest, or from one that follows it. When the name still means what is here, one
    request is all. Raises `ModelNotFound`, `AccessDenied`, `RegistryUnavailable`,
    `IntegrityError`, `StorageError`, and `NotRunnable` when the artifact is not a model at all.
    """
    progress = progress or NoProgress()
    before = store.find_reference(reference)
    whole = before if before is not None and _is_whole(store, before) else None
    served = _fetch_model(sources, reference, progress, whole)
    if served is None:
        assert before is not None  # noqa: S101 - it is what the tag still names
        return Pull(before, reference, 0, changed=False, moved_from=None)
    manifest = served.manifest
    sources = sources[sources.index(served.source) :]
    ConfigSchema.of(manifest.config.media_type)
    if manifest.config.size > document.MAXIMUM_SIZE:
        raise IntegrityError(f"the config is larger than {document.MAXIMUM_SIZE} bytes")
    store.prepare()
    progress.expect(sum(blob.size for blob in manifest.blobs))
    fetched = 0
    changed = before is None
    with store.writing():
        for _ in range(_COMMIT_ATTEMPTS):
            missing = store.missing_blobs(manifest)
            store.blobs.check_space(missing)
            # By digest: the same bytes may be a layer, too.
            layers = [blob for blob in missing if blob.digest != manifest.config.digest]
            changed = changed or bool(missing)
            if len(layers) < len(missing):
                Transfer(sources, store.blobs, NoticesAlone(progress), options).fetch(
                    [manifest.config]
                )
            if missing:
                # It is small and comes first: a broken one is refused before the weights.
                try:
                    Artifact.of(manifest, store.blobs.read(manifest.config, "config"))
                except IntegrityError:
                    if store.blobs.has(manifest.config):
                        raise
                    continue  # it went with another model, which was removed just now
            if layers:
                fetched += Transfer(sources, store.blobs, progress, options).fetch(layers)
            model = store.commit(served.remote.content, reference, served.image_index)
            if model is not None:
                moved_from = before if before is not None and before.id != model.id else None
                changed = changed or moved_from is not None
                return Pull(model, reference, fetched, changed, moved_from)
    raise StorageError(
        "the model's blobs were removed again and again while it was pulled",
        hint="Another smolctl is removing models from the same cache; pull again after it.",
    )


def _is_whole(store: Store, model: StoredModel) -> bool:
    try:
        return not store.missing_blobs(store.artifact(model).manifest)
    except IntegrityError:  # pulling it again is what repairs it
        return False


@dataclass(frozen=True)
class _Served:
    source: Source
    remote: RemoteManifest
    manifest: Manifest
    image_index: Digest | None
    """That of which the manifest is the one model, if it was found in one."""


def _fetch_model(
    sources: Sequence[Source],
    reference: Reference,
    progress: Progress,
    here: StoredModel | None,
) -> _Served | None:
    """Fetch the model's manifest; None when it is that of the model `here`.

    When there is no such tag, the error says which there are.
    """

    def ask(source: Source) -> _Served | None:
        named = source.reference(reference)
        if here is not None and here.is_at(reference.name, source.client.resolve(named)):
            return None
        found = source.client.fetch_manifest(named)
        remote = resolve_index(source.client, named, found)
        image_index = None if remote is found else found.descriptor.digest
        return _Served(source, remote, Manifest.parse(remote.content), image_index)

    with next_step(sources, reference):
        return first(sources, ask, telling(progress.notice))


def resolve_index(
    client: RegistryClient, reference: Reference, remote: RemoteManifest
) -> RemoteManifest:
    """Return the one model manifest behind `remote`, which may be an image index.

    Raises `ModelNotFound`, naming the choices, when an index holds several.
    """
    if not is_index(remote.descriptor.media_type):
        return remote
    entries = ImageIndex.parse(remote.content).choices
    if len(entries) != 1:
        choices = "; ".join(map(_choice, entries))
        raise ModelNotFound(
            f"{reference.familiar()} is an index of {len(entries)} models: {choices or 'none'}",
            hint=f"Name one by its digest: {reference.name}@sha256:…" if entries else None,
        )
    return client.fetch_manifest(reference.pinned(entries[0].digest))


def _choice(entry: Descriptor) -> str:
    platform = "/".join(str(part) for part in entry.platform.values() if isinstance(part, str))
    return f"{entry.digest} ({platform or entry.artifact_type or entry.media_type})"
