"""What `run` needs of a model, whether it comes from the cache or is a bare file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.engine.chat_template import ChatTemplate, find_template
from smolctl.errors import InvalidGGUF, ModelNotFound, NotRunnable
from smolctl.model.gguf import read_file
from smolctl.model.memory import CONTEXT_STEP, largest_context
from smolctl.store.files import model_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from smolctl.engine.chat_template import Message
    from smolctl.engine.engine import Engine
    from smolctl.engine.options import EngineOptions
    from smolctl.model.gguf import GGUFHeader
    from smolctl.store.store import Store, StoredModel


_SHARD = re.compile(r"(?P<name>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")
_USABLE_PERCENT = 80
"""Share of the free memory that a model may take: what else runs goes on needing some."""


@dataclass(frozen=True)
class Runnable:
    """A model that llama.cpp can load. `context_size` is what the artifact asks for, in tokens."""

    name: str
    weights: tuple[Path, ...]
    header: GGUFHeader
    template: ChatTemplate
    context_size: int | None

    def fit(self, options: EngineOptions) -> EngineOptions:
        """Return `options` with the context size filled in where the person left it open.

        It is the artifact's, else the model's own, and never more than fits in free memory: a
        packaged context of 128 K tokens must not take the machine down. Raises `NotRunnable`
        when the person asked for one that does not fit.
        """
        wanted = options.context_size or self.full_context
        if wanted is None:
            return options
        size = sum(path.stat().st_size for path in self.weights)
        memory = _free_memory() * _USABLE_PERCENT // 100
        fits = min(wanted, largest_context(self.header, size, memory, _rounded_up(wanted)))
        if options.context_size is not None and fits < options.context_size:
            raise NotRunnable(
                f"a context of {options.context_size} tokens does not fit in memory",
                hint=f"--ctx-size {fits} is the largest that does.",
            )
        return replace(options, context_size=fits)

    @property
    def full_context(self) -> int | None:
        """The context to use where the person leaves it open and memory allows it, in tokens."""
        return self.context_size or self.header.context_length


def runnable_model(store: Store, model: StoredModel, name: str) -> Runnable:
    """Return `model`, which was asked for as `name`, ready to run.

    Raises `NotRunnable` and `IntegrityError` when it is not.
    """
    artifact = store.artifact(model)
    files = model_files(store, artifact)
    return _runnable(name, files.weights, files.chat_template, artifact.config.context_size)


def runnable_file(path: Path) -> Runnable:
    """Return the bare GGUF file at `path` ready to run, with the shards beside it.

    A model in shards may be named by any of them. Raises `NotRunnable` when it is not ready, and
    `ModelNotFound` when a shard is missing.
    """
    weights = _shards(path)
    for shard in weights:
        if not shard.exists():
            raise ModelNotFound(f"{path.name} is one of {len(weights)} shards; {shard} is missing")
    return _runnable(path.name, weights, None, None)


def render(engine: Engine, runnable: Runnable, messages: Sequence[Message]) -> tuple[int, ...]:
    """Return `messages` as the tokens that the model expects, its reply to follow."""
    vocabulary = engine.vocabulary
    text = runnable.template.render(
        messages, bos_token=vocabulary.bos_token, eos_token=vocabulary.eos_token
    )
    return tuple(vocabulary.tokenize(text))


def _shards(path: Path) -> tuple[Path, ...]:
    """Return the files of the model that `path` is a file of, by llama.cpp's names of shards."""
    match = _SHARD.fullmatch(path.name)
    if match is None:
        return (path,)
    name, count = match["name"], match["count"]
    numbers = range(1, int(count) + 1)
    return tuple(path.with_name(f"{name}-{number:05}-of-{count}.gguf") for number in numbers)


def _runnable(
    name: str, weights: tuple[Path, ...], template_layer: str | None, context_size: int | None
) -> Runnable:
    # Every shard's header is checked before llama.cpp sees the file: it trusts what it reads.
    try:
        headers = [read_file(path) for path in weights]
    except InvalidGGUF as error:
        raise InvalidGGUF(f"{name}: {error.message}", hint=error.hint) from None
    first = headers[0]
    template = find_template(template_layer, first.chat_template)
    return Runnable(name, weights, first, template, context_size)


def _rounded_up(tokens: int) -> int:
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def _free_memory() -> int:
    """Return the bytes of memory that can be had without pushing anything out, or a guess."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                name, _, amount = line.partition(":")
                if name == "MemAvailable":
                    return int(amount.split()[0]) * 1024
    except (OSError, ValueError):
        pass  # no Linux; half of all there is, is a safe guess elsewhere
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
