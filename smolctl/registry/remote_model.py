"""A model in a registry, known without its weights: manifest, config, and GGUF header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError, NotRunnable, SmolctlError
from smolctl.model import document
from smolctl.model.artifact import Artifact
from smolctl.model.config import ConfigSchema
from smolctl.model.gguf import read_file
from smolctl.model.layer import Packing, Role
from smolctl.model.manifest import Manifest
from smolctl.model.stated_header import stated_header
from smolctl.registry.pull import resolve_index
from smolctl.registry.remote_header import read_remote_header
from smolctl.registry.retry import retrying
from smolctl.registry.source import first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.gguf import GGUFHeader
    from smolctl.model.reference import Reference
    from smolctl.registry.source import Source
    from smolctl.store.blobs import Blobs


@dataclass(frozen=True)
class Served:
    """A model's manifest, and the sources that have it: the one that served it, and the rest."""

    descriptor: Descriptor
    manifest: Manifest
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class RemoteModel:
    """A model as far as it is known. `problem` says why `header` is None, where it is."""

    artifact: Artifact
    header: GGUFHeader | None
    problem: str | None = None


def serve_manifest(sources: Sequence[Source], reference: Reference) -> Served:
    """Return the manifest that `reference` names, from the first of `sources` that has it.

    Raises what `RegistryClient.fetch_manifest` does, and `ModelNotFound` for an index of several
    models.
    """

    def ask(source: Source) -> Served:
        named = source.reference(reference)
        remote = resolve_index(source.client, named, source.client.fetch_manifest(named))
        rest = tuple(sources[sources.index(source) :])
        return Served(remote.descriptor, Manifest.parse(remote.content), rest)

    return first(sources, ask)


def read_model(served: Served, blobs: Blobs, *, whole_header: bool = True) -> RemoteModel:
    """Return what `served` is a manifest of. What is in `blobs` is not asked for again.

    Without `whole_header`, one that the config states suffices. Raises `NotRunnable` when it is
    no model, `IntegrityError` when a document is malformed, and what fetching the config does.
    """
    ConfigSchema.of(served.manifest.config.media_type)
    artifact = Artifact.of(
        served.manifest, fetch_document(served, blobs, served.manifest.config, "config")
    )
    stated = None if whole_header else stated_header(artifact.config)
    if stated is not None:
        return RemoteModel(artifact, stated)
    try:
        return RemoteModel(artifact, _header(served, artifact, blobs))
    except SmolctlError as error:
        return RemoteModel(artifact, None, error.message)


def fetch_document(served: Served, blobs: Blobs, blob: Descriptor, what: str) -> bytes:
    """Return a small blob of the model (a config, a template, a license), checked.

    Raises `ModelNotFound`, `RegistryUnavailable`; `IntegrityError` for one that is too large to
    be a document, or is not what its digest says. `what` names it there.
    """
    if blob.size > document.MAXIMUM_SIZE:
        raise IntegrityError(f"the {what} is larger than {document.MAXIMUM_SIZE} bytes")
    if blobs.has(blob):
        return blobs.read(blob, what)

    def ask(source: Source) -> bytes:
        content = retrying(lambda: _read(source, blob), source.client.retries)
        blob.verify(content, what)
        return content

    return first(served.sources, ask)


def _read(source: Source, blob: Descriptor) -> bytes:
    content = bytearray()
    with source.client.open_blob(source.repository, blob, 0, blob.size) as stream:
        while piece := stream.read(64 * 1024):
            content += piece
    return bytes(content)


def _header(served: Served, artifact: Artifact, blobs: Blobs) -> GGUFHeader:
    artifact.check_runnable()
    weights = artifact.with_role(Role.WEIGHTS)[0]
    if weights.packing is not Packing.RAW:
        raise NotRunnable("its weights are in an archive, whose beginning says nothing of them")
    blob = weights.descriptor
    if blobs.has(blob):
        return read_file(blobs.path(blob.digest))
    return first(
        served.sources,
        lambda source: read_remote_header(source.client, source.repository, blob),
    )
