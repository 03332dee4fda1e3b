"""What a model would take to run on this machine, told before it is here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.model.memory import largest_context, memory_needed
from smolctl.runner.runnable import context_shape

if TYPE_CHECKING:
    from smolctl.engine.options import EngineOptions
    from smolctl.model.gguf_header import GGUFHeader

COMFORTABLE_TOKENS = 4096
"""A context cut to less than this is no reason to choose a model."""

TABLE_CACHE_TYPES = ("f16", "q8_0", "q4_0")
"""Types of the KV cache that a table of memory has a column for."""

_TABLE_CONTEXTS = tuple(2**power for power in range(11, 21))


@dataclass(frozen=True)
class Need:
    """Bytes that a model takes with a context of so many tokens, and whether they can be had.

    `comfortable` says that the context is a useful one as well.
    """

    context: int
    bytes: int
    fits: bool
    comfortable: bool


def memory_need(
    header: GGUFHeader,
    weights_bytes: int,
    options: EngineOptions,
    usable: int,
    full_context: int | None = None,
) -> Need | None:
    """Return what a model takes with `options`, of which the context may be left open.

    It is then what `Runnable.fit` chooses: `full_context`, else the header's, or what fits the
    `usable` bytes of it. None when nobody says how long the context is.
    """
    full = full_context or header.context_length
    asked = options.context_size
    length = asked or full
    if not length:
        return None
    shape = context_shape(options, length)
    needed = memory_needed(header, weights_bytes, shape).total
    if needed > usable and asked is None and header.is_causal:
        length = largest_context(header, weights_bytes, usable, shape)
        shape = context_shape(options, length)
        needed = memory_needed(header, weights_bytes, shape).total
    enough = min(asked or COMFORTABLE_TOKENS, COMFORTABLE_TOKENS, full or COMFORTABLE_TOKENS)
    return Need(length, needed, needed <= usable, needed <= usable and length >= enough)


def memory_table(
    header: GGUFHeader, weights_bytes: int, options: EngineOptions, full_context: int | None
) -> dict[int, dict[str, int]]:
    """Return the bytes that a model takes, by tokens of context and by type of its KV cache.

    The contexts are powers of two from 2,048 on and `full_context`, or the header's; none when
    nobody says how long it is.
    """
    full = full_context or header.context_length
    if not full:
        return {}
    lengths = [length for length in _TABLE_CONTEXTS if length < full] if header.is_causal else []
    table: dict[int, dict[str, int]] = {}
    for length in [*lengths, full]:
        table[length] = {}
        for name in TABLE_CACHE_TYPES:
            cached = replace(options, cache_type_k=name, cache_type_v=name)
            shape = context_shape(cached, length)
            table[length][name] = memory_needed(header, weights_bytes, shape).total
    return table
