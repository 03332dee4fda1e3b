"""A model that llama.cpp can load: its headers read and checked, its context fitted to memory."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.engine.chat_template import ChatTemplate, find_template
from smolctl.errors import InvalidGGUF, NotRunnable
from smolctl.model.gguf import read_file
from smolctl.model.memory import CONTEXT_STEP, largest_context

if TYPE_CHECKING:
    from smolctl.engine.options import EngineOptions
    from smolctl.model.gguf import GGUFHeader
    from smolctl.runner.source import ModelSource


_USABLE_PERCENT = 80
"""Share of the free memory that a model may take: what else runs goes on needing some."""


@dataclass(frozen=True)
class Runnable:
    """A model that llama.cpp can load. `header` is that of its first file."""

    source: ModelSource
    header: GGUFHeader
    template: ChatTemplate

    @classmethod
    def read(cls, source: ModelSource) -> Runnable:
        """Read and check the headers of `source`'s files. Raises `InvalidGGUF`."""
        # Every shard's header is checked before llama.cpp sees the file: it trusts what it reads.
        try:
            headers = [read_file(path) for path in source.weights]
        except InvalidGGUF as error:
            raise InvalidGGUF(f"{source.name}: {error.message}", hint=error.hint) from None
        first = headers[0]
        return cls(source, first, find_template(source.template, first.chat_template))

    def fit(self, options: EngineOptions) -> EngineOptions:
        """Return `options` with the context size filled in where the person left it open.

        It is the artifact's, else the model's own, and never more than fits in free memory: a
        packaged context of 128 K tokens must not take the machine down. Raises `NotRunnable`
        when the person asked for one that does not fit.
        """
        wanted = options.context_size or self.full_context
        if wanted is None:
            return options
        size = self.source.weights_bytes
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
        return self.source.context_size or self.header.context_length


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
