from __future__ import annotations

import io

import pytest

from smolctl.model.gguf import GGUFHeader, read_header
from smolctl.model.memory import kv_cache_bytes, largest_context, step_bytes
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
    assert kv_cache_bytes(SMOLLM2_360M, 8192) == 320 * MIB
    assert kv_cache_bytes(SMOLLM2_360M, 8192, bytes_per_element=4) == 640 * MIB
    # And these two for models of two and three layers, the second with heads of its own width.
    assert kv_cache_bytes(llama(2, 960, 15, 5, 2560, 49_152), 32_768) == 80 * MIB
    other = llama(3, 512, 8, 2, 1024, 32_000, key_length=96, value_length=96)
    assert kv_cache_bytes(other, 8192) == 18 * MIB


def test_the_cache_counts_whole_steps_of_256_tokens():
    per_token = 40_960
    assert kv_cache_bytes(SMOLLM2_360M, 1) == 256 * per_token
    assert kv_cache_bytes(SMOLLM2_360M, 256) == 256 * per_token
    assert kv_cache_bytes(SMOLLM2_360M, 257) == 512 * per_token


def test_the_cache_of_layers_that_differ():
    alike = llama(4, 512, 8, 2, 1024, 1000)
    mixed = llama(4, 512, 8, [0, 4, 0, 4], 1024, 1000)
    assert kv_cache_bytes(mixed, 1024) == kv_cache_bytes(alike, 1024)


def test_no_attention_no_cache():
    mamba = read_header(io.BytesIO(gguf_files.header([("general.architecture", "string", "m")])))
    assert kv_cache_bytes(mamba, 8192) == 0
    assert largest_context(mamba, 10**9, 2 * 10**9, 8192) == 8192


@pytest.mark.parametrize(
    ("header", "context", "reported"),
    [
        (llama(2, 960, 15, 5, 2560, 49_152), 2048, 99.75),
        (llama(2, 960, 15, 5, 2560, 49_152), 32_768, 99.75),
        (llama(3, 512, 8, 2, 1024, 32_000), 8192, 64.5),
        (llama(2, 512, 8, 2, 4096, 256), 2048, 30.0),
        (llama(2, 512, 8, 2, 4096, 256), 32_768, 60.0),
        (llama(2, 1024, 8, 8, 1024, 256), 8192, 20.0),
    ],
)
def test_a_step_is_near_what_llama_cpp_reported(header, context, reported):
    assert reported * MIB <= step_bytes(header, context) <= reported * MIB * 1.15


def test_the_largest_context_fits_and_the_next_does_not():
    weights = 271_000_000
    for available in (500_000_000, 600_000_000, 700_000_000):
        context = largest_context(SMOLLM2_360M, weights, available, 8192)
        assert context % 256 == 0

        def needed(tokens: int) -> int:
            cache = kv_cache_bytes(SMOLLM2_360M, tokens)
            return weights + cache + step_bytes(SMOLLM2_360M, tokens)

        assert 256 < context < 8192
        assert needed(context) <= available < needed(context + 256)


@pytest.mark.parametrize(
    ("ceiling", "expected"),
    [(8192, 8192), (8191, 7936), (1000, 768), (256, 256), (255, 256), (0, 256), (2**64, 2**64)],
)
def test_the_ceiling_is_rounded_down_to_a_step(ceiling, expected):
    assert largest_context(SMOLLM2_360M, 0, 10**25, ceiling) == expected


def test_too_little_memory_gives_the_least_context():
    assert largest_context(SMOLLM2_360M, 10**9, 10**8, 8192) == 256
    assert largest_context(SMOLLM2_360M, 10**9, -1, 8192) == 256
