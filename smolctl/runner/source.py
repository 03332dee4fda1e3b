"""What is to be run: a model of the cache or a bare file, before any of its weights is read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.errors import ModelNotFound
from smolctl.store.files import model_files

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.store.store import Store, StoredModel

_SHARD = r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})\.gguf"


@dataclass(frozen=True)
class ModelSource:
    """Where a model's files are, and what it is called: all that loading it takes.

    `id` is its model ID (`sha256:…`), `name` what it was asked for as, and `names` all its names
    in the cache. `weights` are the shards in order, `template` is the text of the artifact's
    chat template, and `context_size` what the artifact asks for, in tokens. `created` is in
    seconds since 1970, 0 where nobody says.
    """

    id: str
    name: str
    names: tuple[str, ...]
    weights: tuple[Path, ...]
    template: str | None = None
    context_size: int | None = None
    created: int = 0

    @property
    def weights_bytes(self) -> int:
        """The size of all weights on disk, in bytes."""
        return sum(path.stat().st_size for path in self.weights)


def model_source(store: Store, model: StoredModel, name: str) -> ModelSource:
    """Return `model`, which was asked for as `name`.

    Raises `NotRunnable` when llama.cpp has no use for it, and `IntegrityError` when its files are
    not all here.
    """
    artifact = store.artifact(model)
    files = model_files(store, artifact)
    created = artifact.config.created
    return ModelSource(
        id=str(model.id),
        name=name,
        names=tuple(store.familiar(tag) for tag in model.tags),
        weights=files.weights,
        template=files.chat_template,
        context_size=artifact.config.context_size,
        created=int(created.timestamp()) if created else 0,
    )


def file_source(path: Path) -> ModelSource:
    """Return the bare GGUF file at `path`, with the shards beside it.

    A model in shards may be named by any of them. It has no digest that is known without reading
    it; its ID here tells one state of the file from another. Raises `ModelNotFound` when a file
    is missing.
    """
    if not path.exists():
        raise ModelNotFound(f"no such file: {path}")
    weights = tuple(shard.resolve() for shard in _shards(path))
    for shard in weights:
        if not shard.exists():
            raise ModelNotFound(f"{path.name} is one of {len(weights)} shards; {shard} is missing")
    states = [(str(shard), shard.stat()) for shard in weights]
    state = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in states]
    digest = hashlib.sha256(repr(state).encode(errors="surrogateescape")).hexdigest()
    return ModelSource(f"sha256:{digest}", path.name, (), weights)


def _shards(path: Path) -> tuple[Path, ...]:
    """Return the files of the model that `path` is a file of, by llama.cpp's names of shards."""
    match = re.fullmatch(_SHARD, path.name)
    if match is None:
        return (path,)
    name, count = match["name"], match["count"]
    numbers = range(1, int(count) + 1)
    return tuple(path.with_name(f"{name}-{number:05}-of-{count}.gguf") for number in numbers)
