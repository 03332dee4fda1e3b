"""Packaging: files of this machine, or parts of a model that is here, made into a model here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from smolctl.errors import InvalidGGUF, NotRunnable, StorageError, UsageError
from smolctl.model import document
from smolctl.model.descriptor import Descriptor
from smolctl.model.gguf import read_file
from smolctl.model.layer import Role
from smolctl.model.manifest import Manifest
from smolctl.model.packaging import Format, Part, assemble, config_of, form_of, parts_of
from smolctl.store.importing import import_file
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from smolctl.model.config import ModelConfig
    from smolctl.model.gguf import GGUFHeader
    from smolctl.model.layer import Layer
    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel

    Tell = Callable[[Path, int], None]
    """Hears of a file that is being taken in, and how many of its bytes are."""

_SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf")
_COMMIT_ATTEMPTS = 3


@dataclass(frozen=True)
class Recipe:
    """What a package is made of. Paths are of files here; what is None or empty is left out.

    With `base`, a model that is here, its parts stay where nothing takes their place: licenses
    are added to its own. `weights` are one GGUF file, or shards in order; `name` is what the
    weights' file is called in the artifact, where that is not its own name.
    """

    weights: tuple[Path, ...] = ()
    name: str | None = None
    base: StoredModel | None = None
    form: Format | None = None
    licenses: tuple[Path, ...] = ()
    chat_template: Path | None = None
    projector: Path | None = None
    card: Path | None = None
    context_size: int | None = None
    created: datetime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


def shards_of(path: Path) -> tuple[Path, ...]:
    """Return the files of the model whose (first) file is `path`: all shards, in order.

    Raises `UsageError` when `path` is another shard than the first, or one is missing.
    """
    match = _SHARD.fullmatch(path.name)
    if match is None:
        return (path,)
    count = int(match["count"])
    shards = [
        path.with_name(f"{match['stem']}-{number:05}-of-{count:05}.gguf")
        for number in range(1, count + 1)
    ]
    if path not in shards or path != shards[0]:
        raise UsageError(
            f"{path.name} is not the first shard", hint=f"Name {shards[0].name if shards else ''}"
        )
    for shard in shards:
        if not shard.exists():
            raise UsageError(f"a shard is missing: {shard.name}")
    return tuple(shards)


def read_headers(weights: Sequence[Path]) -> list[GGUFHeader]:
    """Return the headers of a model's files, checked to be one model's weights.

    Raises `InvalidGGUF` and `NotRunnable` with the file's name, `StorageError`.
    """
    headers = [_read_header(path) for path in weights]
    for index, (path, header) in enumerate(zip(weights, headers, strict=True)):
        if header.is_projector:
            raise NotRunnable(
                f"{path.name} is a multimodal projector, not a model",
                hint="Give it with --mmproj, beside the model's own file.",
            )
        if (header.split_count or 1) != len(weights) or (header.split_index or 0) != index:
            raise NotRunnable(
                f"{path.name} says that it is shard {(header.split_index or 0) + 1} of"
                f" {header.split_count or 1}",
                hint="Shards keep the names that they were made with.",
            )
    return headers


def package(
    store: Store, recipe: Recipe, reference: Reference, tell: Tell = lambda *_: None
) -> StoredModel:
    """Make the model that `recipe` describes, and name it `reference` in `store`.

    Raises `UsageError`, `NotRunnable` and `StorageError` for what cannot be packaged, and
    `IntegrityError` when the base is damaged.
    """
    store.prepare()
    with store.writing():
        for _ in range(_COMMIT_ATTEMPTS):
            config, parts, form, annotations = _plan(store, recipe, tell)
            content, manifest = assemble(config, parts, form, annotations)
            if max(len(content), len(manifest)) > document.MAXIMUM_SIZE:
                raise UsageError("the model's metadata is larger than any registry takes")
            store.blobs.write_bytes(Manifest.parse(manifest).config, content)
            model = store.commit(manifest, reference)
            if model is not None:
                return model
    raise StorageError("the model's blobs were removed again and again while it was packaged")


def _plan(
    store: Store, recipe: Recipe, tell: Tell
) -> tuple[ModelConfig, list[Part | Layer], Format, Mapping[str, str]]:
    base = store.artifact(recipe.base) if recipe.base is not None else None
    if base is not None:
        store.blobs.check(base.manifest.blobs)
    form = recipe.form or (form_of(base.config) if base is not None else Format.docker)
    if recipe.context_size is not None and form is Format.cncf:
        raise UsageError(
            "--context-size has no place in --format cncf",
            hint="ModelPack's config does not have it; give it to `run` as --ctx-size.",
        )
    # What is small and may be wrong comes first, then gigabytes.
    small = [
        _small_part(store, role, path)
        for role, paths in (
            (Role.CHAT_TEMPLATE, (recipe.chat_template,)),
            (Role.LICENSE, recipe.licenses),
            (Role.DOCUMENT, (recipe.card,)),
        )
        for path in paths
        if path is not None
    ]
    headers = read_headers(recipe.weights)
    projector = _projector(recipe.projector) if recipe.projector is not None else None
    parts: list[Part | Layer] = []
    for path in recipe.weights:
        blob = import_file(store.blobs, path, lambda done, path=path: tell(path, done))  # type: ignore[misc]
        parts.append(Part(Role.WEIGHTS, blob, recipe.name or path.name))
    if projector is not None:
        blob = import_file(store.blobs, projector, lambda done: tell(projector, done))
        parts.append(Part(Role.PROJECTOR, blob, projector.name))
    parts += small
    config = config_of(headers) if headers else None
    annotations = dict(recipe.annotations)
    if base is not None:
        parts = _merged(parts_of(base, form), parts)
        annotations = {**base.manifest.annotations, **annotations}
        config = _rebased(base.config, config)
    if config is None:
        raise UsageError("there is nothing to package", hint="Name a file with --gguf.")
    context_size = recipe.context_size or config.context_size
    created = recipe.created or config.created
    return replace(config, context_size=context_size, created=created), parts, form, annotations


def _rebased(base: ModelConfig, new: ModelConfig | None) -> ModelConfig:
    """Return what is said of `base` after its weights were changed for those of `new`, if any."""
    if new is None:
        return base
    return replace(
        new,
        schema=base.schema,
        context_size=base.context_size or new.context_size,
        created=base.created,
        capabilities=base.capabilities,
        description=base.description or new.description,
    )


def _merged(base: Sequence[Part | Layer], new: Sequence[Part | Layer]) -> list[Part | Layer]:
    replaced = {part.role for part in new} - {Role.LICENSE}
    here = {part.blob.digest for part in new if isinstance(part, Part)}
    kept = [
        part
        for part in base
        if not isinstance(part, Part)
        or (part.role not in replaced and part.blob.digest not in here)
    ]
    return [*kept, *new]


def _small_part(store: Store, role: Role, path: Path) -> Part:
    content = read_small(path)
    blob = Descriptor.of(content, "application/octet-stream")
    store.blobs.write_bytes(blob, content)
    # A card is found by its name, in a form that has no media type for it, and by people.
    is_readme = role is not Role.DOCUMENT or path.name.lower().startswith("readme")
    return Part(role, blob, path.name if is_readme else "README.md")


def read_small(path: Path) -> bytes:
    """Return a license, a template or a card. Raises `UsageError` when it is empty or large."""
    with storage_errors(path):
        if not path.is_file():
            raise StorageError(f"not a file: {path}" if path.exists() else f"no such file: {path}")
        with path.open("rb") as file:
            content = file.read(document.MAXIMUM_SIZE + 1)
    if not content:
        raise UsageError(f"{path} is empty")
    if len(content) > document.MAXIMUM_SIZE:
        raise UsageError(f"{path} is larger than {document.MAXIMUM_SIZE} bytes")
    return content


def _projector(path: Path) -> Path:
    if not _read_header(path).is_projector:
        raise NotRunnable(f"{path.name} is not a multimodal projector")
    return path


def _read_header(path: Path) -> GGUFHeader:
    try:
        return read_file(path)
    except InvalidGGUF as error:
        raise InvalidGGUF(f"{path}: {error.message}", hint=error.hint) from None
