"""A model artifact: its manifest, its config and its layers, read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import NotRunnable
from smolctl.model.config import ModelConfig
from smolctl.model.layer import Layer, Packing, Role

if TYPE_CHECKING:
    from smolctl.model.manifest import Manifest


class Artifact(NamedTuple):
    """One model as a registry or the cache holds it."""

    manifest: Manifest
    config: ModelConfig
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, manifest: Manifest, config: bytes) -> Artifact:
        """Return the artifact that `manifest` and its config blob describe.

        Raises `NotRunnable` when it is not a model, `IntegrityError` when it is malformed.
        """
        return cls(
            manifest=manifest,
            config=ModelConfig.parse(config, manifest.config.media_type),
            layers=tuple(Layer.classify(layer) for layer in manifest.layers),
        )

    def with_role(self, role: Role) -> tuple[Layer, ...]:
        """Return the layers of `role`, in the manifest's order (for weights: shard order)."""
        return tuple(layer for layer in self.layers if layer.role is role)

    def diff_id(self, layer: Layer) -> str | None:
        """Return the digest of the uncompressed `layer` that the config promises, if it does."""
        known = zip(self.manifest.layers, self.config.diff_ids, strict=False)
        return next((diff for blob, diff in known if blob is layer.descriptor), None)

    @property
    def size(self) -> int:
        """Bytes in all blobs, each counted once."""
        return sum(blob.size for blob in self.manifest.blobs)

    @property
    def packed(self) -> tuple[Layer, ...]:
        """The layers that are archives, which have to be unpacked before they are of use."""
        return tuple(layer for layer in self.layers if layer.packing is not Packing.RAW)

    def check_runnable(self) -> None:
        """Raise `NotRunnable`, saying why, when llama.cpp cannot load this artifact."""
        if self.with_role(Role.WEIGHTS):
            return
        kind = self.config.format
        if self.with_role(Role.FOREIGN_WEIGHTS) or kind not in (None, "gguf"):
            raise NotRunnable(
                f"this model is packaged as {kind or 'another format'}, and llama.cpp runs GGUF",
                hint="Look for a GGUF variant of it; `smolctl model inspect` shows the layers.",
            )
        raise NotRunnable("this artifact has no weights in it")
