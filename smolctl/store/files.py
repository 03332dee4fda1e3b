"""The files of a model in the cache, as llama.cpp and other tools want them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import IntegrityError, NotRunnable
from smolctl.model.document import MAXIMUM_SIZE
from smolctl.model.layer import Packing, Role, role_by_name
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.model.artifact import Artifact
    from smolctl.model.layer import Layer
    from smolctl.store.store import Store, StoredModel


class ModelFiles(NamedTuple):
    """What it takes to run a model: its weights (the shards in order) and its template layer."""

    weights: tuple[Path, ...]
    chat_template: str | None


def model_files(store: Store, artifact: Artifact) -> ModelFiles:
    """Return the files of `artifact`, mapped straight from its blobs; archives are unpacked.

    Raises `NotRunnable` when llama.cpp cannot load it, and `IntegrityError` when a blob is
    missing or its size is wrong.
    """
    artifact.check_runnable()
    weights = tuple(
        path
        for layer in artifact.with_role(Role.WEIGHTS)
        for path in _files(store, layer, artifact.diff_id(layer), Role.WEIGHTS)
    )
    if not weights:
        raise NotRunnable("the model's archives hold no GGUF file")
    templates = artifact.with_role(Role.CHAT_TEMPLATE)
    template = None
    if templates:
        diff_id = artifact.diff_id(templates[0])
        path = next(_files(store, templates[0], diff_id, Role.CHAT_TEMPLATE), None)
        template = _read_template(path) if path else None
    return ModelFiles(weights, template)


def gguf_path(store: Store, model: StoredModel, files: ModelFiles) -> Path:
    """Return the one path to hand to another tool.

    A model in shards is found by its first shard's name (`…-00001-of-00003.gguf`), which a blob
    does not have: such a model gets a folder of links.
    """
    if len(files.weights) == 1:
        return files.weights[0]
    folder = store.blobs.unpacked_path(model.id)
    count = len(files.weights)
    links = [folder / f"model-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for link, shard in zip(links, files.weights, strict=True):
            with suppress(FileExistsError):  # made before, or by another process just now
                link.symlink_to(os.path.relpath(shard, folder))
    return links[0]


def _files(store: Store, layer: Layer, diff_id: str | None, role: Role) -> Iterator[Path]:
    """Yield the files of `layer` that have `role`: the blob itself, or those in its archive."""
    store.blobs.check([layer.descriptor])
    if layer.packing is Packing.RAW:
        yield store.blobs.path(layer.descriptor.digest)
        return
    from smolctl.store.unpack import unpack  # tarfile and gzip, which few models need

    folder = unpack(store.blobs, layer, diff_id)
    for path in sorted(folder.rglob("*")):
        inside = PurePosixPath(path.relative_to(folder))
        if path.is_file() and role_by_name(inside, Role.OTHER) is role:
            yield path


def _read_template(path: Path) -> str:
    with storage_errors(path), path.open("rb") as file:
        content = file.read(MAXIMUM_SIZE + 1)
    if len(content) > MAXIMUM_SIZE:
        raise IntegrityError("the chat template is larger than any template is")
    return content.decode(errors="replace")
