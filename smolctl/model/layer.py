"""What each layer of a model artifact is: its role, its packing, and the file it stands for.

Three families of artifacts are in use (Docker's config v0.1 and v0.2, and CNCF ModelPack), and
they say the same things by different media types. Sources: docker/model-spec and ModelPack's
model-spec, "Media Types"; the annotation keys are ModelPack's.
"""

from __future__ import annotations

from enum import Enum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import IntegrityError

if TYPE_CHECKING:
    from smolctl.model.descriptor import Descriptor

FILE_PATH = "org.cncf.model.filepath"
"""Annotation: the layer's file, relative to the model's folder."""

GGUF_LAYER = "application/vnd.docker.ai.gguf.v3"
LICENSE_LAYER = "application/vnd.docker.ai.license"
CHAT_TEMPLATE_LAYER = "application/vnd.docker.ai.chat.template.jinja"
PROJECTOR_LAYER = "application/vnd.docker.ai.mmproj"
FILE_LAYER = "application/vnd.docker.ai.model.file"
"""Any other file: its name says what it is."""

_MODELPACK_PREFIX = "application/vnd.cncf.model."


class Role(Enum):
    """What a layer is for."""

    WEIGHTS = "weights"
    LICENSE = "license"
    CHAT_TEMPLATE = "chat template"
    PROJECTOR = "multimodal projector"
    ADAPTER = "LoRA adapter"
    DOCUMENT = "document"
    FOREIGN_WEIGHTS = "weights in a format that llama.cpp does not load"
    OTHER = "other"


class Packing(Enum):
    """How a layer's file lies in its blob."""

    RAW = "raw"
    TAR = "tar"
    TAR_GZIP = "tar+gzip"
    TAR_ZSTD = "tar+zstd"


_DOCKER_ROLES = {
    GGUF_LAYER: Role.WEIGHTS,
    "application/vnd.docker.ai.gguf.v3.lora": Role.ADAPTER,
    PROJECTOR_LAYER: Role.PROJECTOR,
    "application/vnd.docker.ai.gguf.v3.mmproj": Role.PROJECTOR,
    LICENSE_LAYER: Role.LICENSE,
    CHAT_TEMPLATE_LAYER: Role.CHAT_TEMPLATE,
    "application/vnd.docker.ai.safetensors": Role.FOREIGN_WEIGHTS,
    "application/vnd.docker.ai.dduf": Role.FOREIGN_WEIGHTS,
}

_DOCKER_TARS = frozenset(
    {"application/vnd.docker.ai.vllm.config.tar", "application/vnd.docker.ai.dir.tar"}
)


class Layer(NamedTuple):
    """One layer, understood. `path` is where its annotation puts the file, if it has one."""

    descriptor: Descriptor
    role: Role
    packing: Packing
    path: PurePosixPath | None

    @classmethod
    def classify(cls, descriptor: Descriptor) -> Layer:
        """Return what `descriptor` describes; an unknown media type is `Role.OTHER`.

        Raises `IntegrityError` when the annotated path could lead out of the model's folder.
        """
        path = _annotated_path(descriptor)
        media_type = descriptor.media_type
        if media_type.startswith(_MODELPACK_PREFIX):
            role, packing = _modelpack(media_type.removeprefix(_MODELPACK_PREFIX), path)
        else:
            role = _DOCKER_ROLES.get(media_type, Role.OTHER)
            if role is Role.OTHER and path is not None:
                role = role_by_name(path, role)
            packing = Packing.TAR if media_type in _DOCKER_TARS else Packing.RAW
        return cls(descriptor, role, packing, path)


def checked_path(text: str) -> PurePosixPath:
    """Return `text` as a relative path that stays inside its folder.

    Raises `IntegrityError` for one that is empty, absolute, has `..` or an empty part, a
    backslash, a drive letter or a NUL: such a path came from a stranger and means harm or harms.
    """
    parts = text.split("/")
    if (
        not text
        or any(part in ("", "..") for part in parts)
        or any(letter in text for letter in "\\\0")
        or parts[0][1:2] == ":"
    ):
        raise IntegrityError(f"a file path leads out of the model's folder: {text[:200]!r}")
    return PurePosixPath(text)


def _annotated_path(descriptor: Descriptor) -> PurePosixPath | None:
    text = descriptor.annotations.get(FILE_PATH)
    return checked_path(text) if text else None


def _modelpack(suffix: str, path: PurePosixPath | None) -> tuple[Role, Packing]:
    """Role and packing of `{weight|weight.config|doc|code|dataset}.v1.{raw|tar|…}`."""
    kind, _, ending = suffix.partition(".v1.")
    if kind == "weight" and ending in ("gguf", "safetensors"):  # two spellings of early artifacts
        return (Role.WEIGHTS if ending == "gguf" else Role.FOREIGN_WEIGHTS), Packing.RAW
    try:
        packing = Packing(ending)
    except ValueError:
        return Role.OTHER, Packing.RAW
    default = {
        "weight": Role.WEIGHTS,
        "weight.config": Role.OTHER,
        "doc": Role.DOCUMENT,
    }.get(kind, Role.OTHER)
    return (default if path is None else role_by_name(path, default)), packing


def role_by_name(path: PurePosixPath, default: Role) -> Role:
    """Tell a layer's role from its file's name, where the media type leaves it open."""
    name = path.name.lower()
    if name.endswith(".gguf"):
        return Role.PROJECTOR if "mmproj" in name else Role.WEIGHTS
    if name.endswith((".safetensors", ".dduf")):
        return Role.FOREIGN_WEIGHTS
    if name.endswith(".jinja"):
        return Role.CHAT_TEMPLATE
    if name.startswith(("license", "licence", "copying")):
        return Role.LICENSE
    if name.startswith("readme") or _is_card(name):
        return Role.DOCUMENT
    return default


def readme_rank(path: PurePosixPath | None) -> int | None:
    """Return how likely a document is what people read of a model, 0 for most; None if it is not.

    A README is, then a model card, then one that has no name.
    """
    if path is None:
        return 2
    name = path.name.lower()
    if name in ("readme.md", "readme", "readme.txt"):
        return 0
    return 1 if _is_card(name) else None


def _is_card(name: str) -> bool:
    stem, _, ending = name.rpartition(".")
    return ending in ("md", "markdown") and stem.replace("_", "").replace("-", "").endswith("card")
