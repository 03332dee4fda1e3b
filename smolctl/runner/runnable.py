"""A model that llama.cpp can load: its headers read and checked, its context fitted to memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from smolctl.errors import InvalidGGUF, TooLittleMemory
from smolctl.model.gguf import read_file
from smolctl.model.memory import ContextShape, Memory, largest_context, memory_needed
from smolctl.model.units import format_size
from smolctl.runner.memory import usable_memory

if TYPE_CHECKING:
    from smolctl.engine.chat_template import ChatTemplate
    from smolctl.engine.options import EngineOptions
    from smolctl.model.gguf import GGUFHeader
    from smolctl.runner.source import ModelSource


@dataclass(frozen=True)
class Runnable:
    """A model that llama.cpp can load. `header` is that of its first file."""

    source: ModelSource
    header: GGUFHeader

    @classmethod
    def read(cls, source: ModelSource) -> Runnable:
        """Read and check the headers of `source`'s files. Raises `InvalidGGUF`."""
        # Every shard's header is checked before llama.cpp sees the file: it trusts what it reads.
        try:
            headers = [read_file(path) for path in source.weights]
        except InvalidGGUF as error:
            raise InvalidGGUF(f"{source.name}: {error.message}", hint=error.hint) from None
        return cls(source, headers[0])

    @cached_property
    def template(self) -> ChatTemplate:
        """The chat template: the artifact's own, else the file's."""
        from smolctl.engine.chat_template import find_template  # Jinja2 takes 50 ms to import

        return find_template(self.source.template, self.header.chat_template)

    @property
    def full_context(self) -> int | None:
        """The context to use where the person leaves it open and memory allows it, in tokens."""
        own = self.header.context_length
        wanted = self.source.context_size or own
        if not self.header.is_causal and wanted and own:
            return min(wanted, own)  # an encoder has no more positions
        return wanted

    def needed(self, options: EngineOptions) -> Memory:
        """Return about how much memory the model takes when it is loaded with `options`.

        Where they leave the context open, with the full one.
        """
        length = options.context_size or self.full_context or 0
        return memory_needed(self.header, self.source.weights_bytes, context_shape(options, length))

    def fit(self, options: EngineOptions, usable: int | None = None) -> EngineOptions:
        """Return `options` with the context size filled in, for `usable` bytes or what can be had.

        It is the person's (`options.context_size`), else the artifact's, else the model's own; one
        that nobody asked for is cut to what fits in free memory: a packaged context of 128 K
        tokens must not take the machine down. Raises `TooLittleMemory`, with the numbers, when
        what was asked for does not fit.
        """
        wanted = options.context_size or self.full_context
        if wanted is None:
            return options
        if not self.header.is_causal:
            return replace(options, context_size=min(wanted, self.full_context or wanted))
        usable = usable_memory() if usable is None else usable
        fixed = replace(options, context_size=wanted)
        if self.needed(fixed).total <= usable:
            return fixed
        return replace(fixed, context_size=self._largest(fixed, usable, options.context_size))

    def _largest(self, options: EngineOptions, usable: int, asked: int | None) -> int:
        """Return the largest context that fits, where that of `options` does not."""
        weights_bytes = self.source.weights_bytes
        shape = context_shape(options, options.context_size or 0)
        largest = largest_context(self.header, weights_bytes, usable, shape)
        smallest = self.needed(replace(options, context_size=largest)).total
        if asked is None and smallest <= usable:
            return largest
        needed = self.needed(options).total if asked is not None else smallest
        each = options.sequences > 1 and not options.shared_cache
        times = f" for each of {options.sequences} sequences" if each else ""
        raise TooLittleMemory(
            f"{self.source.name} needs {format_size(needed)} of memory with a context of"
            f" {asked or largest} tokens{times}; {format_size(usable)} can be had",
            hint=f"--ctx-size {largest} is the largest that fits."
            if smallest <= usable
            else "Even the smallest context does not fit: unload other models, or use a smaller"
            " variant.",
        )


def context_shape(options: EngineOptions, length: int) -> ContextShape:
    """Return what the memory of an engine with `options` and `length` tokens depends on."""
    return ContextShape(
        length,
        options.sequences,
        options.cache_type_k,
        options.cache_type_v,
        options.batch_tokens,
        flash_attention=options.flash_attention != "off",
        shared_cache=options.shared_cache,
    )
