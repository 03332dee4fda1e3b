"""GGUF files of the llama architecture with random weights: real to llama.cpp, and meaningless."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_EMBEDDINGS = "token_embd.weight"
_ROWS = 1024
"""Rows that are drawn at a time."""


@dataclass(frozen=True)
class Geometry:
    """The sizes of a model. Heads are `width // heads` wide.

    With `experts` the feed-forward part is a mixture of them, `experts_used` for each token.
    """

    layers: int = 1
    width: int = 64
    heads: int = 2
    kv_heads: int = 1
    feed_forward: int = 128
    vocabulary: int = len(SPECIAL) + 256
    context: int = 512
    experts: int = 0
    experts_used: int = 2


TINY = Geometry()
SMOLLM2_360M = Geometry(
    layers=32, width=960, heads=15, kv_heads=5, feed_forward=2560, vocabulary=49152, context=8192
)


def write_random_model(
    path: Path,
    geometry: Geometry = TINY,
    *,
    seed: int = 0,
    chat_template: str | None = CHATML,
    architecture: str = "llama",
    special: Sequence[str] = (),
    tensors_in_a_shard: int = 0,
    tokenizer: Callable[[gguf.GGUFWriter, int, Sequence[str]], None] | None = None,
) -> Path:
    """Write a model of `geometry` to `path`, F16 matrices and tied embeddings; returns `path`.

    `special` are the first of the tokens beyond the bytes; they are special ones. With
    `tensors_in_a_shard` it is several files, called `…-00001-of-0000N.gguf`. `tokenizer` adds the
    vocabulary; None for `add_tokenizer`.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=tensors_in_a_shard)
    writer.add_name("random")
    writer.add_context_length(geometry.context)
    writer.add_embedding_length(geometry.width)
    writer.add_block_count(geometry.layers)
    writer.add_feed_forward_length(geometry.feed_forward)
    writer.add_head_count(geometry.heads)
    writer.add_head_count_kv(geometry.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(geometry.width // geometry.heads)
    if geometry.experts:
        writer.add_expert_count(geometry.experts)
        writer.add_expert_used_count(geometry.experts_used)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    (tokenizer or add_tokenizer)(writer, geometry.vocabulary, special)
    if chat_template is not None:
        writer.add_chat_template(chat_template)

    for name, shape in _tensors(geometry):
        kind = np.dtype(np.float16 if len(shape) > 1 else np.float32)
        writer.add_tensor_info(name, shape, kind, math.prod(shape) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, shape in _tensors(geometry):
        # One at a time: a model of the real size need not fit in memory.
        if len(shape) == 1:
            writer.write_tensor_data(np.ones(shape, np.float32))
            continue
        matrix = _random_matrix(random, math.prod(shape[:-1]), shape[-1]).reshape(shape)
        if name == _EMBEDDINGS:
            # Special tokens score nothing, so that a greedy reply goes on until it is ended.
            matrix[: len(SPECIAL)] = 0
        writer.write_tensor_data(matrix)
    writer.close()
    return path


def _tensors(geometry: Geometry) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and shapes: norms have one dimension, matrices two, those of experts three."""
    width, kv_width = geometry.width, geometry.width // geometry.heads * geometry.kv_heads
    yield _EMBEDDINGS, (geometry.vocabulary, width)
    for layer in range(geometry.layers):
        yield f"blk.{layer}.attn_norm.weight", (width,)
        yield f"blk.{layer}.ffn_norm.weight", (width,)
        yield f"blk.{layer}.attn_q.weight", (width, width)
        yield f"blk.{layer}.attn_k.weight", (kv_width, width)
        yield f"blk.{layer}.attn_v.weight", (kv_width, width)
        yield f"blk.{layer}.attn_output.weight", (width, width)
        each = (geometry.experts,) if geometry.experts else ()
        name = "_exps" if each else ""
        yield f"blk.{layer}.ffn_gate{name}.weight", (*each, geometry.feed_forward, width)
        yield f"blk.{layer}.ffn_up{name}.weight", (*each, geometry.feed_forward, width)
        yield f"blk.{layer}.ffn_down{name}.weight", (*each, width, geometry.feed_forward)
        if each:
            yield f"blk.{layer}.ffn_gate_inp.weight", (*each, width)
    yield "output_norm.weight", (width,)


def _random_matrix(
    random: np.random.Generator, rows: int, columns: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    matrix = np.empty((rows, columns), np.float16)
    for first in range(0, rows, _ROWS):
        part = matrix[first : first + _ROWS]
        part[:] = random.standard_normal(part.shape, dtype=np.float32) * columns**-0.5
    return matrix


def add_tokenizer(writer: gguf.GGUFWriter, size: int, special: Sequence[str]) -> None:
    """Add a byte-level vocabulary of `size` tokens: special tokens, the 256 bytes, then words.

    Without merges no text is made into those words; a reply may have them.
    """
    letters = list(_byte_letters())
    tokens = [*SPECIAL, *letters, *special]
    tokens += [f"Ġw{number}" for number in range(size - len(tokens))]
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * 256
    kinds += [gguf.TokenType.CONTROL] * len(special)
    kinds += [gguf.TokenType.NORMAL] * (size - len(kinds))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{letters[0]} {letters[1]}"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)


def add_sentencepiece(writer: gguf.GGUFWriter, size: int, special: Sequence[str]) -> None:
    """Add a vocabulary of SentencePiece's with Llama 2's control tokens: bytes, ASCII, words."""
    control = ["<s>", "</s>", *special]
    letters = ["▁", *map(chr, range(ord("!"), ord("~") + 1))]
    tokens = ["<unk>", *control, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    kinds = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * len(control)
    kinds += [gguf.TokenType.BYTE] * 256
    tokens += [f"▁w{number}" for number in range(size - len(tokens))]
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(kinds))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def _byte_letters() -> list[str]:
    """Return the letter that byte-level BPE writes each of the 256 bytes as (GPT-2's table)."""
    shown = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in shown else chr(next(hidden)) for byte in range(256)]
