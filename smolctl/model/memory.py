"""How much memory a model needs on llama.cpp, from its GGUF header alone.

Three parts: the weights; the key-value cache, which grows with the context, or the state of
recurrent layers, which does not; and the working memory of one step. The cache is exact for models
with plain attention. Where a model's layers attend to a sliding window only, it is an upper bound,
which llama.cpp's default (`swa_full`) reaches. The state is that of Mamba and its like.

Weights are counted once: those that llama.cpp rearranges for the processor are then in its memory,
and the file's pages, which it has read, can be dropped.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.model.gguf_tensors import TENSOR_TYPES

if TYPE_CHECKING:
    from smolctl.model.gguf import GGUFHeader

CONTEXT_STEP = 256
"""Tokens: llama.cpp rounds a context up to a multiple of this."""

_TYPES = {kind.name.lower(): kind for kind in TENSOR_TYPES.values()}

_ENCODER_TOKENS = 512
"""Tokens that an encoder reads at once; longer texts take more, while they are read."""


@dataclass(frozen=True)
class ContextShape:
    """What memory depends on besides the model.

    `sequences` contexts of `length` tokens each, or with a `shared_cache` of so many together;
    their keys and values in `cache_type_k` and `_v` (`f16`, `q8_0`); steps of at most
    `batch_tokens`.
    """

    length: int
    sequences: int = 1
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    batch_tokens: int = 512
    flash_attention: bool = True
    shared_cache: bool = False

    @property
    def streams(self) -> int:
        """How many times the length is kept."""
        return 1 if self.shared_cache else self.sequences

    @property
    def rounded_length(self) -> int:
        """The length as llama.cpp rounds it."""
        return -(-self.length // CONTEXT_STEP) * CONTEXT_STEP


@dataclass(frozen=True)
class Memory:
    """Bytes that a model needs: for its weights, its key-value cache, and a step."""

    weights: int
    cache: int
    step: int

    @property
    def total(self) -> int:
        """The bytes in all."""
        return self.weights + self.cache + self.step


def memory_needed(header: GGUFHeader, weights_bytes: int, shape: ContextShape) -> Memory:
    """Return about what llama.cpp takes for the model with contexts of `shape`.

    `weights_bytes` covers all of the model's files, of which `header` describes the first.
    """
    if not header.is_causal:
        return Memory(weights_bytes, 0, _encoder_bytes(header))
    return Memory(weights_bytes, kv_cache_bytes(header, shape), step_bytes(header, shape))


def kv_cache_bytes(header: GGUFHeader, shape: ContextShape) -> int:
    """Return the bytes of the key-value cache, and of the state of recurrent layers.

    It is 0 when the header describes neither.
    """
    heads = header.head_count_kv_all_layers or 0
    keys = _bytes(heads * (header.key_length or 0), shape.cache_type_k)
    values = _bytes(heads * (header.value_length or 0), shape.cache_type_v)
    cache = (keys + values) * shape.rounded_length * shape.streams
    return cache + header.recurrent_layers * _state_bytes(header, shape)


def step_bytes(header: GGUFHeader, shape: ContextShape) -> int:
    """Return about how many bytes one step needs besides weights and cache.

    Buffers are used again along the graph, so the widest place counts: one layer's attention, or
    its feed-forward part, with the attention mask of 2 bytes per token of step and of context; or
    the logits, of one token a sequence, which are kept for the samplers too. Without flash
    attention the mask takes 4 bytes, and there are as many scores for every head. The last layer
    goes on with one token a sequence after its attention. Of a mixture of experts, those that a
    token goes through count together; a recurrent layer needs six times its width, and a copy of
    its state. The formula was fitted to the compute buffers that llama.cpp reports on a CPU; it
    gives those, or up to twice the model's width for each token of a step more.
    """
    embedding = header.embedding_length or 0
    context = shape.rounded_length
    tokens = min(shape.batch_tokens, shape.length * shape.streams)
    keys = (header.head_count_kv or 0) * (header.key_length or 0)
    experts = header.expert_used_count or 0
    wide = max(header.feed_forward_length or 0, experts * (header.expert_feed_forward_length or 0))
    if (header.block_count or 0) <= 1:
        wide = experts = 0
    feed_forward = 3 * wide + 4 * embedding if wide else 0
    if 2 * wide < experts * embedding:  # narrow ones: what they give takes as much as they do
        feed_forward += experts * embedding
    recurrent = 6 * header.inner_length + embedding if header.inner_length else 0
    if header.head_count_kv_all_layers == 0:
        layer = 4 * max(feed_forward, recurrent)
    elif shape.flash_attention:
        attention = max(5 * embedding, 4 * embedding + 2 * keys + wide)
        layer = 4 * max(feed_forward, attention, recurrent) + 2 * context
    else:
        scores = context * (1 + (header.head_count or 0))
        layer = 4 * max(feed_forward + context, 5 * embedding + 2 * keys + scores, recurrent)
    vocabulary = header.vocabulary_size or 0
    logits = 4 * shape.sequences * (vocabulary + 2 * embedding)
    step = max(tokens * layer + _state_bytes(header, shape), logits)
    return step + 4 * shape.sequences * vocabulary


def largest_context(
    header: GGUFHeader, weights_bytes: int, available_bytes: int, shape: ContextShape
) -> int:
    """Return the longest context, in tokens, with which the model fits `available_bytes`.

    The result is a multiple of 256, at most the length of `shape`, and never less than 256, also
    where not even that fits: whether to try it then is the caller's decision.
    """

    def needed(blocks: int) -> int:
        longer = replace(shape, length=blocks * CONTEXT_STEP)
        return memory_needed(header, weights_bytes, longer).total

    candidates = range(1, shape.length // CONTEXT_STEP + 1)
    return max(1, bisect_right(candidates, available_bytes, key=needed)) * CONTEXT_STEP


def _state_bytes(header: GGUFHeader, shape: ContextShape) -> int:
    """Return the bytes that one recurrent layer keeps of all sequences, in F32."""
    return 4 * header.state_elements * shape.sequences


def _encoder_bytes(header: GGUFHeader) -> int:
    """Return what an encoder's step needs: llama.cpp has room for logits, which it has none of."""
    embedding = header.embedding_length or 0
    tokens = min(_ENCODER_TOKENS, header.context_length or _ENCODER_TOKENS)
    layer = max(2 * (header.feed_forward_length or 0) + 4 * embedding, 6 * embedding)
    outputs = (header.vocabulary_size or 0) + embedding
    return tokens * (4 * layer + 2 * tokens + 4 * outputs)


def _bytes(elements: int, name: str) -> int:
    kind = _TYPES[name]
    return -(-elements // kind.block_elements) * kind.block_bytes
