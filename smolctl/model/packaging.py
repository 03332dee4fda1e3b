"""Making a model artifact: its config from the GGUF header, its layers, its manifest.

In Docker's form, config v0.1 (what every release of Docker Model Runner reads), or in CNCF
ModelPack's. There is no clock in it: the same files under the same flags give the same digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from smolctl.errors import UsageError
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.gguf import ArrayFacts
from smolctl.model.layer import (
    CHAT_TEMPLATE_LAYER,
    FILE_LAYER,
    FILE_PATH,
    GGUF_LAYER,
    LICENSE_LAYER,
    PROJECTOR_LAYER,
    Packing,
    Role,
)
from smolctl.model.manifest import Manifest
from smolctl.model.units import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from smolctl.model.artifact import Artifact
    from smolctl.model.gguf import GGUFHeader
    from smolctl.model.layer import Layer

FILE_METADATA = "org.cncf.model.file.metadata+json"
MEDIA_TYPE_UNTESTED = "org.cncf.model.file.mediatype.untested"
_MODELPACK_ARTIFACT = "application/vnd.cncf.model.manifest.v1+json"
_NO_TIME = "1970-01-01T00:00:00Z"
"""A file's time where no time is given; its annotation has to have one."""

_LONGEST_FACT = 64 * 1024
"""Bytes of a string of the GGUF metadata that go into the config, at most."""


class Format(str, Enum):
    """The family of artifacts to write."""

    docker = "docker"
    cncf = "cncf"


_MEDIA_TYPES = {
    Format.docker: {
        Role.WEIGHTS: GGUF_LAYER,
        Role.PROJECTOR: PROJECTOR_LAYER,
        Role.CHAT_TEMPLATE: CHAT_TEMPLATE_LAYER,
        Role.LICENSE: LICENSE_LAYER,
        Role.DOCUMENT: FILE_LAYER,
    },
    Format.cncf: {
        Role.WEIGHTS: "application/vnd.cncf.model.weight.v1.raw",
        Role.PROJECTOR: "application/vnd.cncf.model.weight.v1.raw",
        Role.CHAT_TEMPLATE: "application/vnd.cncf.model.weight.config.v1.raw",
        Role.LICENSE: "application/vnd.cncf.model.doc.v1.raw",
        Role.DOCUMENT: "application/vnd.cncf.model.doc.v1.raw",
    },
}
_ORDER = (Role.WEIGHTS, Role.PROJECTOR, Role.CHAT_TEMPLATE, Role.LICENSE, Role.DOCUMENT)
_NAMES = {
    # What tells a file's role where the media type does not (ModelPack's): its name.
    Role.PROJECTOR: ("mmproj-{}", lambda name: "mmproj" in name and name.endswith(".gguf")),
    Role.CHAT_TEMPLATE: ("{}.jinja", lambda name: name.endswith(".jinja")),
    Role.LICENSE: (
        "LICENSE-{}",
        lambda name: name.startswith(("license", "licence", "copying")),
    ),
}


@dataclass(frozen=True)
class Part:
    """A file of the artifact to be: its role, its blob (its media type does not count), a name."""

    role: Role
    blob: Descriptor
    name: str


def parts_of(artifact: Artifact, form: Format) -> list[Part | Layer]:
    """Return what `artifact` is made of; a `Layer` where it can be kept only as it stands.

    Raises `UsageError` when it cannot be written in `form`.
    """
    found: list[Part | Layer] = []
    same = form_of(artifact.config) is form
    for layer in artifact.layers:
        if layer.packing is Packing.RAW and layer.role in _ORDER:
            name = layer.path.name if layer.path is not None else _plain_name(layer.role)
            found.append(Part(layer.role, layer.descriptor, name))
        elif same:
            found.append(layer)
        else:
            raise UsageError(
                f"a layer of type {layer.descriptor.media_type} has no place in --format"
                f" {form.value}"
            )
    return found


def form_of(config: ModelConfig) -> Format:
    """Return the family that `config` is of."""
    return Format.cncf if config.schema is ConfigSchema.MODELPACK else Format.docker


def config_of(headers: Sequence[GGUFHeader]) -> ModelConfig:
    """Return what the headers of a model's files say, in Docker's words; its shards in order."""
    first = headers[0]
    sizes = sum(header.weights_bytes for header in headers)
    named = {} if first.name is None else {"name": first.name}
    licenses = {} if first.license is None else {"licenses": [first.license]}
    return ModelConfig(
        schema=ConfigSchema.DOCKER_V01,
        format="gguf",
        architecture=first.architecture,
        parameters=_scaled(sum(header.parameters for header in headers), 1000, "KMBT"),
        quantization=next((h.quantization for h in headers if h.quantization), None),
        size=_scaled(sizes, 1024, ("KiB", "MiB", "GiB", "TiB"), "B"),
        context_size=first.context_length,
        gguf=_facts(first),
        description={**named, **licenses},
    )


def assemble(
    config: ModelConfig,
    parts: Sequence[Part | Layer],
    form: Format,
    annotations: Mapping[str, str],
) -> tuple[bytes, bytes]:
    """Return the config and the manifest of an artifact of `parts`, as they are stored."""
    ordered = [
        part
        for role in (*_ORDER, None)
        for part in parts
        if (part.role if isinstance(part, Part) else None) is role
    ]
    layers = tuple(
        _layer(part, form, config.created) if isinstance(part, Part) else part.descriptor
        for part in ordered
    )
    schema = config.schema
    if form_of(config) is not form:
        schema = ConfigSchema.MODELPACK if form is Format.cncf else ConfigSchema.DOCKER_V01
    diff_ids = tuple(str(layer.digest) for layer in layers)
    content = replace(config, schema=schema, diff_ids=diff_ids).to_bytes()
    manifest = Manifest(
        Descriptor.of(content, schema.value),
        layers,
        artifact_type=_MODELPACK_ARTIFACT if form is Format.cncf else None,
        annotations=dict(sorted(annotations.items())),
    )
    return content, manifest.to_bytes()


def _layer(part: Part, form: Format, created: datetime | None) -> Descriptor:
    name = part.name
    pattern, tells = _NAMES.get(part.role, ("{}", lambda _: True))
    if form is Format.cncf and not tells(name.lower()):
        name = pattern.format(name)
    metadata = {
        "name": name,
        "mode": 0o644,
        "uid": 0,
        "gid": 0,
        "size": part.blob.size,
        "mtime": format_time(created) if created is not None else _NO_TIME,
        "typeflag": 0,
    }
    return Descriptor(
        _MEDIA_TYPES[form][part.role],
        part.blob.digest,
        part.blob.size,
        {
            FILE_PATH: name,
            FILE_METADATA: json.dumps(metadata, ensure_ascii=False, separators=(",", ":")),
            MEDIA_TYPE_UNTESTED: "false",
        },
    )


def _plain_name(role: Role) -> str:
    return {
        Role.WEIGHTS: "model.gguf",
        Role.PROJECTOR: "mmproj.gguf",
        Role.CHAT_TEMPLATE: "template.jinja",
        Role.LICENSE: "LICENSE",
    }.get(role, "README.md")


def _facts(header: GGUFHeader) -> dict[str, str]:
    """Return the metadata as Docker Model Runner copies it: text for text, and no arrays."""
    facts = {}
    for key, value in header.metadata.items():
        if isinstance(value, ArrayFacts) or (isinstance(value, str) and _is_long(value)):
            continue
        if isinstance(value, bool):
            facts[key] = "true" if value else "false"
        else:
            facts[key] = f"{value:.7g}" if isinstance(value, float) else str(value)
    return dict(sorted(facts.items()))


def _is_long(text: str) -> bool:
    return len(text.encode(errors="replace")) > _LONGEST_FACT


def _scaled(number: int, step: int, units: Sequence[str], smallest: str = "") -> str:
    """Return `number` in Docker's spelling, two digits after the point: `361.82M`, `256.35MiB`."""
    if number < step:
        return f"{number}{smallest}"
    value = float(number)
    for unit in units:
        value /= step
        if value < step or unit == units[-1]:
            break
    return f"{value:.2f}{unit}"
