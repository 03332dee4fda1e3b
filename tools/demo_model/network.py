"""The demo model's network in JAX: llama.cpp's `llama` architecture, layer for layer.

Grouped-query attention, rotary positions, SwiGLU, RMS norms, tied embeddings. The rotary pairs
are neighbours (2i, 2i+1), as llama.cpp computes them for this architecture, so that weights are
exported as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

Parameters: TypeAlias = dict[str, Any]

NORM_EPSILON = 1e-5
ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class Geometry:
    """The sizes of the network. Width and feed-forward are multiples of 256 for real Q4_K."""

    vocabulary: int
    layers: int = 4
    width: int = 256
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    context: int = 2048

    @property
    def head_size(self) -> int:
        """The width of one head."""
        return self.width // self.heads


def initialize(geometry: Geometry, seed: int) -> Parameters:
    """Return random weights; each matrix is (outputs, inputs), as in a GGUF file."""
    keys = iter(jax.random.split(jax.random.key(seed), 1 + 7 * geometry.layers))
    width, kv_width = geometry.width, geometry.kv_heads * geometry.head_size

    def matrix(outputs: int, inputs: int, scale: float = 1.0) -> jax.Array:
        normal = jax.random.normal(next(keys), (outputs, inputs), jnp.float32)
        return normal * (scale * inputs**-0.5)

    # What is added to the residual stream starts small, so that depth does not blow it up.
    residual = (2 * geometry.layers) ** -0.5
    embedding = jax.random.normal(next(keys), (geometry.vocabulary, width), jnp.float32) * 0.02
    blocks = [
        {
            "attn_norm": jnp.ones(width),
            "attn_q": matrix(width, width),
            "attn_k": matrix(kv_width, width),
            "attn_v": matrix(kv_width, width),
            "attn_output": matrix(width, width, residual),
            "ffn_norm": jnp.ones(width),
            "ffn_gate": matrix(geometry.feed_forward, width),
            "ffn_up": matrix(geometry.feed_forward, width),
            "ffn_down": matrix(width, geometry.feed_forward, residual),
        }
        for _ in range(geometry.layers)
    ]
    return {"token_embd": embedding, "output_norm": jnp.ones(width), "blocks": blocks}


def logits(parameters: Parameters, tokens: jax.Array, geometry: Geometry) -> jax.Array:
    """Return next-token logits (batch, length, vocabulary) for `tokens` (batch, length)."""
    length = tokens.shape[1]
    cosine, sine = _rotation(length, geometry.head_size)
    mask = jnp.tril(jnp.ones((length, length), bool))
    hidden = parameters["token_embd"][tokens]
    for block in parameters["blocks"]:
        hidden = hidden + _attention(block, hidden, cosine, sine, mask, geometry)
        normed = _rms_norm(hidden, block["ffn_norm"])
        gated = jax.nn.silu(normed @ block["ffn_gate"].T) * (normed @ block["ffn_up"].T)
        hidden = hidden + gated @ block["ffn_down"].T
    return _rms_norm(hidden, parameters["output_norm"]) @ parameters["token_embd"].T


def count(parameters: Parameters) -> int:
    """Return how many numbers the weights are."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def _attention(
    block: Parameters,
    hidden: jax.Array,
    cosine: jax.Array,
    sine: jax.Array,
    mask: jax.Array,
    geometry: Geometry,
) -> jax.Array:
    batch, length, width = hidden.shape
    normed = _rms_norm(hidden, block["attn_norm"])
    shape = (batch, length, -1, geometry.head_size)
    query = _rotate((normed @ block["attn_q"].T).reshape(shape), cosine, sine)
    key = _rotate((normed @ block["attn_k"].T).reshape(shape), cosine, sine)
    value = (normed @ block["attn_v"].T).reshape(shape)
    # Query head h reads KV head h // group, as llama.cpp has it.
    group = geometry.heads // geometry.kv_heads
    query = query.reshape(batch, length, geometry.kv_heads, group, geometry.head_size)
    scores = jnp.einsum("bqkgd,bskd->bkgqs", query, key) * geometry.head_size**-0.5
    weights = jax.nn.softmax(jnp.where(mask, scores, -1e9), axis=-1)
    mixed = jnp.einsum("bkgqs,bskd->bqkgd", weights, value).reshape(batch, length, width)
    return mixed @ block["attn_output"].T


def _rms_norm(values: jax.Array, weight: jax.Array) -> jax.Array:
    scale = jax.lax.rsqrt(jnp.mean(values * values, axis=-1, keepdims=True) + NORM_EPSILON)
    return values * scale * weight


def _rotation(length: int, size: int) -> tuple[jax.Array, jax.Array]:
    frequency = ROPE_BASE ** (-jnp.arange(0, size, 2) / size)
    angle = jnp.arange(length)[:, None] * frequency[None, :]
    return jnp.cos(angle)[None, :, None, :], jnp.sin(angle)[None, :, None, :]


def _rotate(values: jax.Array, cosine: jax.Array, sine: jax.Array) -> jax.Array:
    even, odd = values[..., 0::2], values[..., 1::2]
    turned = jnp.stack((even * cosine - odd * sine, even * sine + odd * cosine), axis=-1)
    return turned.reshape(values.shape)
