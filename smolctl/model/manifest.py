"""Image manifests and image indexes, read and written.

Source: OCI image specification, "Image Manifest" and "Image Index". Docker's own schema 2 types
have the same shape and are read too; some registries convert to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.errors import IntegrityError
from smolctl.model import document
from smolctl.model.descriptor import Descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"

ACCEPTED_TYPES = (MANIFEST_TYPE, INDEX_TYPE, _DOCKER_MANIFEST_TYPE, _DOCKER_INDEX_TYPE)
"""What a registry is asked for, most wanted first."""

_MAXIMUM_ENTRIES = 10_000


@dataclass(frozen=True)
class Manifest:
    """One artifact: its config and its layers, in order."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = MANIFEST_TYPE
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """Return the manifest in `content`. Raises `IntegrityError` when it is not one."""
        what = "manifest"
        value = document.parse_object(content, what)
        version = document.integer(value, "schemaVersion", what)
        if version != 2:
            raise IntegrityError(f"the manifest has schema version {version}, not 2")
        if "config" not in value or "layers" not in value:
            raise IntegrityError("the manifest lacks its config or its layers")
        layers = document.children(value, "layers", what)
        if len(layers) > _MAXIMUM_ENTRIES:
            raise IntegrityError(f"the manifest has {len(layers)} layers")
        return cls(
            config=Descriptor.from_json(document.child(value, "config", what), "config descriptor"),
            layers=tuple(Descriptor.from_json(layer, "layer descriptor") for layer in layers),
            media_type=document.text(value, "mediaType", what) or MANIFEST_TYPE,
            artifact_type=document.text(value, "artifactType", what),
            annotations=document.text_map(value, "annotations", what),
        )

    def to_bytes(self) -> bytes:
        """Return the manifest as it is stored and hashed, keys in Docker Model Runner's order."""
        value: document.JsonObject = {"schemaVersion": 2, "mediaType": self.media_type}
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        value["config"] = self.config.to_json()
        value["layers"] = [layer.to_json() for layer in self.layers]
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return document.dump_object(value)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each digest once, in the order in which they are listed."""
        unique = {blob.digest: blob for blob in (self.config, *self.layers)}
        return tuple(unique.values())


@dataclass(frozen=True)
class ImageIndex:
    """A list of manifests: several builds of one artifact, or the `index.json` of a layout."""

    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> ImageIndex:
        """Return the index in `content`. Raises `IntegrityError` when it is not one."""
        what = "image index"
        value = document.parse_object(content, what)
        entries = document.children(value, "manifests", what)
        if len(entries) > _MAXIMUM_ENTRIES:
            raise IntegrityError(f"the image index has {len(entries)} entries")
        return cls(
            manifests=tuple(Descriptor.from_json(entry, "index entry") for entry in entries),
            annotations=document.text_map(value, "annotations", what),
        )

    @property
    def choices(self) -> tuple[Descriptor, ...]:
        """What may be a model: each digest once, without indexes and build attestations.

        Those ride along under an unknown platform (BuildKit's "Attestation Storage").
        """
        unique = {
            entry.digest: entry
            for entry in self.manifests
            if entry.platform.get("os") != "unknown" and not is_index(entry.media_type)
        }
        return tuple(unique.values())

    def to_bytes(self) -> bytes:
        """Return the index as it is stored."""
        value: document.JsonObject = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [entry.to_json() for entry in self.manifests],
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return document.dump_object(value)


def is_index(media_type: str) -> bool:
    """Whether `media_type` is that of an image index (Docker: a manifest list)."""
    return media_type in (INDEX_TYPE, _DOCKER_INDEX_TYPE)
