"""The estimate, against numbers that llama.cpp reported; `tests/runner` compares it with llama.cpp
as it is installed."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from smolctl.model.gguf import GGUFHeader, read_header
from smolctl.model.memory import (
    ContextShape,
    kv_cache_bytes,
    largest_context,
    memory_needed,
    step_bytes,
)
from tests.support import gguf_files

MIB = 1024 * 1024


def llama(
    layers: int, width: int, heads: int, kv_heads: object, wide: int, tokens: int, **more: int
) -> GGUFHeader:
    pairs: list[gguf_files.Pair] = [
        ("general.architecture", "string", "llama"),
        ("llama.block_count", "uint32", layers),
        ("llama.embedding_length", "uint32", width),
        ("llama.feed_forward_length", "uint32", wide),
        ("llama.attention.head_count", "uint32", heads),
        (
            "llama.attention.head_count_kv",
            "[uint32]" if isinstance(kv_heads, list) else "uint32",
            kv_heads,
        ),
        ("llama.vocab_size", "uint32", tokens),
        *((f"llama.attention.{key}", "uint32", value) for key, value in more.items()),
    ]
    return read_header(io.BytesIO(gguf_files.header(pairs)))


SMOLLM2_360M = llama(32, 960, 15, 5, 2560, 49_152)


def test_the_cache_is_what_llama_cpp_allots():
    # llama.cpp reports 320 MiB for this model at its full context.
    assert kv_cache_bytes(SMOLLM2_360M, ContextShape(8192)) == 320 * MIB
    eight = ContextShape(2048, sequences=8, cache_type_k="f32", cache_type_v="f32")
    assert kv_cache_bytes(SMOLLM2_360M, eight) == 2 * 640 * MIB
    # And these two for models of two and three layers, the second with heads of its own width.
    assert kv_cache_bytes(llama(2, 960, 15, 5, 2560, 49_152), ContextShape(32_768)) == 80 * MIB
    other = llama(3, 512, 8, 2, 1024, 32_000, key_length=96, value_length=96)
    assert kv_cache_bytes(other, ContextShape(8192)) == 18 * MIB


@pytest.mark.parametrize(
    ("name", "bytes_per_32"),
    [
        ("f32", 128),
        ("f16", 64),
        ("bf16", 64),
        ("q8_0", 34),
        ("q5_1", 24),
        ("q5_0", 22),
        ("q4_1", 20),
        ("q4_0", 18),
    ],
)
def test_keys_and_values_may_be_kept_differently(name, bytes_per_32):
    half = kv_cache_bytes(SMOLLM2_360M, ContextShape(1024)) // 2
    keys = ContextShape(1024, cache_type_k=name)
    values = ContextShape(1024, cache_type_v=name)
    expected = half + half * bytes_per_32 // 64
    assert kv_cache_bytes(SMOLLM2_360M, keys) == expected
    assert kv_cache_bytes(SMOLLM2_360M, values) == expected


def test_the_cache_counts_whole_steps_of_256_tokens():
    per_token = 40_960
    assert kv_cache_bytes(SMOLLM2_360M, ContextShape(1)) == 256 * per_token
    assert kv_cache_bytes(SMOLLM2_360M, ContextShape(256)) == 256 * per_token
    assert kv_cache_bytes(SMOLLM2_360M, ContextShape(257, sequences=3)) == 3 * 512 * per_token


def test_a_shared_cache_is_one_for_all_sequences():
    # 20 MiB, and 31.99 for a step, are what llama.cpp reports for two such layers (`kv_unified`).
    model = llama(2, 960, 15, 5, 2560, 49_152)
    shape = ContextShape(8192, sequences=8, shared_cache=True)
    assert kv_cache_bytes(model, shape) == 20 * MIB
    assert step_bytes(model, shape) == pytest.approx(32.01 * MIB, rel=0.01)


def test_the_cache_of_layers_that_differ():
    alike = llama(4, 512, 8, 2, 1024, 1000)
    mixed = llama(4, 512, 8, [0, 4, 0, 4], 1024, 1000)
    shape = ContextShape(1024)
    assert kv_cache_bytes(mixed, shape) == kv_cache_bytes(alike, shape)


def test_no_attention_no_cache():
    mamba = read_header(io.BytesIO(gguf_files.header([("general.architecture", "string", "m")])))
    assert kv_cache_bytes(mamba, ContextShape(8192)) == 0
    assert largest_context(mamba, 10**9, 2 * 10**9, ContextShape(8192)) == 8192


@pytest.mark.parametrize("stated", [True, False])
def test_an_encoder_has_no_cache(stated):
    pairs: list[gguf_files.Pair] = [
        ("general.architecture", "string", "other" if stated else "bert"),
        ("bert.block_count", "uint32", 12),
    ]
    pairs += [("other.attention.causal", "bool", False)] if stated else []
    header = read_header(io.BytesIO(gguf_files.header(pairs)))
    assert not header.is_causal
    assert memory_needed(header, 1000, ContextShape(512)).cache == 0
    assert SMOLLM2_360M.is_causal


@pytest.mark.parametrize(
    ("header", "shape", "reported"),
    [
        (llama(2, 960, 15, 5, 2560, 49_152), ContextShape(512), 23.20),
        (llama(2, 960, 15, 5, 2560, 49_152), ContextShape(8192, sequences=8), 32.01),
        (llama(2, 960, 15, 5, 2560, 49_152), ContextShape(8192, batch_tokens=128), 7.82),
        (llama(2, 960, 15, 5, 2560, 49_152), ContextShape(300), 13.67),
        (llama(2, 960, 15, 5, 2560, 49_152), ContextShape(2048, flash_attention=False), 74.82),
        (llama(3, 512, 8, 2, 1024, 32_000), ContextShape(8192), 17.13),
        (llama(2, 512, 8, 2, 4096, 1000), ContextShape(32_768), 60.01),
        (llama(2, 1024, 8, 8, 1024, 1000), ContextShape(8192), 20.01),
        (llama(1, 2048, 32, 8, 512, 1000), ContextShape(512), 20.51),
        (llama(2, 64, 2, 1, 128, 150_000), ContextShape(512, sequences=64), 73.38),
    ],
)
def test_a_step_is_near_what_llama_cpp_reported(header, shape, reported):
    assert 0.99 * reported * MIB <= step_bytes(header, shape) <= 1.11 * reported * MIB


@pytest.mark.parametrize("sequences", [1, 4])
def test_the_largest_context_fits_and_the_next_does_not(sequences):
    weights = 271_000_000
    shape = ContextShape(8192, sequences=sequences)
    for available in (500_000_000, 550_000_000, 600_000_000):
        context = largest_context(SMOLLM2_360M, weights, available, shape)
        assert context % 256 == 0
        assert 256 < context < 8192

        def needed(tokens: int) -> int:
            return memory_needed(SMOLLM2_360M, weights, replace(shape, length=tokens)).total

        assert needed(context) <= available < needed(context + 256)


@pytest.mark.parametrize(
    ("ceiling", "expected"),
    [(8192, 8192), (8191, 7936), (1000, 768), (256, 256), (255, 256), (0, 256), (2**64, 2**64)],
)
def test_the_ceiling_is_rounded_down_to_a_step(ceiling, expected):
    assert largest_context(SMOLLM2_360M, 0, 10**25, ContextShape(ceiling)) == expected


def test_too_little_memory_gives_the_least_context():
    assert largest_context(SMOLLM2_360M, 10**9, 10**8, ContextShape(8192)) == 256
    assert largest_context(SMOLLM2_360M, 10**9, -1, ContextShape(8192)) == 256
