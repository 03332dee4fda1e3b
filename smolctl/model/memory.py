"""How much memory a model needs on llama.cpp, from its GGUF header alone.

Three parts: the weights; the key-value cache, which grows with the context; and the working
memory of one step. The cache is exact for models with plain attention. Where a model's layers
attend to a sliding window only, it is an upper bound, which llama.cpp's default (`swa_full`)
reaches. What recurrent layers keep does not grow with the context and is left out; it is small.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.model.gguf import GGUFHeader

CONTEXT_STEP = 256
"""Tokens: llama.cpp rounds a context up to a multiple of this."""

STEP_TOKENS = 512
"""Tokens of prompt in one step: llama.cpp's default `n_ubatch`."""


def kv_cache_bytes(header: GGUFHeader, context_length: int, *, bytes_per_element: int = 2) -> int:
    """Return the bytes of the key-value cache for `context_length` tokens.

    An element takes 2 bytes in llama.cpp's default cache, F16. The result is 0 when the header
    does not describe attention, as for a recurrent model.
    """
    heads = header.head_count_kv_all_layers or 0
    width = (header.key_length or 0) + (header.value_length or 0)
    return heads * width * bytes_per_element * _rounded_up(context_length)


def step_bytes(header: GGUFHeader, context_length: int) -> int:
    """Return about how many bytes one step needs besides weights and cache.

    Buffers are used again along the graph, so the widest place counts: the logits, or one layer's
    feed-forward part with the attention mask, which has 2 bytes per token of step and of context.
    The formula was fitted to the compute buffers that llama.cpp reports on a CPU with flash
    attention, its default; it gives those exactly where the logits are the widest, and is an upper
    bound otherwise. Mixtures of experts may need somewhat more.
    """
    embedding = header.embedding_length or 0
    logits = 4 * ((header.vocabulary_size or 0) + 2 * embedding)
    layer = 4 * (3 * (header.feed_forward_length or 0) + 4 * embedding)
    mask = 2 * _rounded_up(context_length)
    return STEP_TOKENS * max(logits, layer + mask)


def largest_context(
    header: GGUFHeader, weights_bytes: int, available_bytes: int, ceiling: int
) -> int:
    """Return the longest context, in tokens, with which the model fits `available_bytes`.

    The result is a multiple of 256, at most `ceiling`, and never less than 256, also where not
    even that fits: whether to try it then is the caller's decision. `weights_bytes` covers all of
    the model's files, of which `header` describes the first.
    """

    def needed(blocks: int) -> int:
        tokens = blocks * CONTEXT_STEP
        return weights_bytes + kv_cache_bytes(header, tokens) + step_bytes(header, tokens)

    candidates = range(1, ceiling // CONTEXT_STEP + 1)
    return max(1, bisect_right(candidates, available_bytes, key=needed)) * CONTEXT_STEP


def _rounded_up(tokens: int) -> int:
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP
