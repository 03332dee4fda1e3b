"""The config document of a model artifact, in the three schemas that are in use.

Docker's v0.1 and v0.2 share one document (v0.2 promises a file path on every layer); CNCF
ModelPack's is another. Readers here are tolerant about what is missing and strict about types:
published artifacts differ from both specifications. Sources: docker/model-spec `config.md` (and
what Docker Model Runner really writes, which differs), ModelPack model-spec `config.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from smolctl.errors import NotRunnable
from smolctl.model import document
from smolctl.model.units import format_time, normalize_quantity, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class ConfigSchema(Enum):
    """A config's schema; the value is its media type."""

    DOCKER_V01 = "application/vnd.docker.ai.model.config.v0.1+json"
    DOCKER_V02 = "application/vnd.docker.ai.model.config.v0.2+json"
    MODELPACK = "application/vnd.cncf.model.config.v1+json"

    @classmethod
    def of(cls, media_type: str) -> ConfigSchema:
        """Return the schema of `media_type`. Raises `NotRunnable` for one that is no model's."""
        try:
            return cls(media_type)
        except ValueError:
            raise NotRunnable(
                f"not a model artifact: its config is {media_type!r}",
                hint="Model artifacts are those of Docker Model Runner and of CNCF ModelPack.",
            ) from None


@dataclass(frozen=True)
class ModelConfig:
    """What a config says, whichever schema said it. What it does not say is None or empty.

    `parameters` and `size` are the publisher's words (`361.82M`, `256.35MiB`), `context_size` is
    in tokens, `gguf` is the publisher's copy of the GGUF metadata. `capabilities` and
    `description` are ModelPack's `config.capabilities` and `descriptor` objects as they came.
    """

    schema: ConfigSchema
    format: str | None = None
    architecture: str | None = None
    parameters: str | None = None
    quantization: str | None = None
    size: str | None = None
    context_size: int | None = None
    created: datetime | None = None
    gguf: Mapping[str, str] = field(default_factory=dict)
    diff_ids: tuple[str, ...] = ()
    capabilities: Mapping[str, object] = field(default_factory=dict)
    description: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes, media_type: str) -> ModelConfig:
        """Return the config in `content`, a blob of `media_type`.

        Raises `NotRunnable` for a media type that is no model's, `IntegrityError` for a document
        that is malformed.
        """
        schema = ConfigSchema.of(media_type)
        value = document.parse_object(content, "config")
        if schema is ConfigSchema.MODELPACK:
            return cls._from_modelpack(value)
        return cls._from_docker(value, schema)

    @classmethod
    def _from_docker(cls, value: document.JsonObject, schema: ConfigSchema) -> ModelConfig:
        config = document.child(value, "config", "config")
        descriptor = document.child(value, "descriptor", "config")
        # `createdAt` is what the written specification says, `created` what is published.
        created = document.text(descriptor, "created", "config") or document.text(
            descriptor, "createdAt", "config"
        )
        return cls(
            schema=schema,
            format=document.text(config, "format", "config"),
            architecture=document.text(config, "architecture", "config"),
            parameters=_quantity(config, "parameters"),
            quantization=document.text(config, "quantization", "config"),
            size=_quantity(config, "size"),
            context_size=document.integer(config, "context_size", "config") or None,
            created=parse_time(created) if created else None,
            gguf=document.text_map(config, "gguf", "config"),
            diff_ids=document.texts(
                document.child(value, "rootfs", "config"), "diff_ids", "config"
            ),
        )

    @classmethod
    def _from_modelpack(cls, value: document.JsonObject) -> ModelConfig:
        config = document.child(value, "config", "config")
        descriptor = document.child(value, "descriptor", "config")
        created = document.text(descriptor, "createdAt", "config")
        return cls(
            schema=ConfigSchema.MODELPACK,
            format=document.text(config, "format", "config"),
            architecture=document.text(config, "architecture", "config"),
            parameters=_quantity(config, "paramSize"),
            quantization=document.text(config, "quantization", "config"),
            created=parse_time(created) if created else None,
            diff_ids=document.texts(
                document.child(value, "modelfs", "config"), "diffIds", "config"
            ),
            capabilities=document.child(config, "capabilities", "config"),
            description=descriptor,
        )

    def to_bytes(self) -> bytes:
        """Return the config as it is stored, in its own schema, parts that are None left out.

        ModelPack's has no place for `context_size`, `size` and `gguf`; they are not written.
        """
        if self.schema is ConfigSchema.MODELPACK:
            descriptor = dict(self.description)
            if self.created is not None:
                descriptor["createdAt"] = format_time(self.created)
            config = _present(
                architecture=self.architecture,
                format=self.format,
                paramSize=self.parameters,
                quantization=self.quantization,
                capabilities=dict(self.capabilities),
            )
            modelfs = {"type": "layers", "diffIds": list(self.diff_ids)}
            return document.dump_object(
                {"descriptor": descriptor, "config": config, "modelfs": modelfs}
            )
        config = _present(
            format=self.format,
            quantization=self.quantization,
            parameters=self.parameters,
            architecture=self.architecture,
            size=self.size,
            gguf=dict(self.gguf),
            context_size=self.context_size,
        )
        descriptor = {"created": format_time(self.created)} if self.created else {}
        rootfs = {"type": "rootfs", "diff_ids": list(self.diff_ids)}
        return document.dump_object({"config": config, "descriptor": descriptor, "rootfs": rootfs})


def _quantity(value: document.JsonObject, key: str) -> str | None:
    text = document.text(value, key, "config")
    return normalize_quantity(text) if text else None


def _present(**parts: object) -> document.JsonObject:
    return {key: value for key, value in parts.items() if value}
