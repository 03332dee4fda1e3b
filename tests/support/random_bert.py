"""GGUF files of the BERT architecture with random weights: encoders, which only embed."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS, SEP = 2, 3

_LAYERS, _WIDTH, _HEADS, _FEED_FORWARD = 2, 64, 4, 128


def write_random_bert(
    path: Path,
    *,
    context: int = 512,
    pooling: gguf.PoolingType | None = gguf.PoolingType.MEAN,
    architecture: str = "bert",
) -> Path:
    """Write an encoder with `context` positions whose tokens are letters; returns `path`."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    if pooling is not None:
        writer.add_pooling_type(pooling)
    tokens = _add_tokenizer(writer)
    for name, shape in _tensors(tokens, context):
        if name.endswith("norm.weight"):
            writer.add_tensor(name, np.ones(shape, np.float32))
            continue
        # What is added to the tokens' vectors has to be of their type (as converted files are).
        added = name.startswith(("position", "token_types"))
        kind = np.float32 if added or len(shape) == 1 else np.float16
        writer.add_tensor(name, random.standard_normal(shape, np.float32).astype(kind) * kind(0.2))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter) -> int:
    """Add a word-piece vocabulary of letters, at a word's beginning and inside it."""
    letters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = [*SPECIAL, *(f"\u2581{letter}" for letter in letters), *letters]
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL)
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(CLS)
    writer.add_sep_token_id(SEP)
    writer.add_mask_token_id(4)
    return len(tokens)


def _tensors(tokens: int, context: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "token_embd.weight", (tokens, _WIDTH)
    yield "position_embd.weight", (context, _WIDTH)
    yield "token_types.weight", (2, _WIDTH)
    yield "token_embd_norm.weight", (_WIDTH,)
    yield "token_embd_norm.bias", (_WIDTH,)
    for layer in range(_LAYERS):
        for name, shape in (
            ("attn_q", (_WIDTH, _WIDTH)),
            ("attn_k", (_WIDTH, _WIDTH)),
            ("attn_v", (_WIDTH, _WIDTH)),
            ("attn_output", (_WIDTH, _WIDTH)),
            ("attn_output_norm", (_WIDTH,)),
            ("ffn_up", (_FEED_FORWARD, _WIDTH)),
            ("ffn_down", (_WIDTH, _FEED_FORWARD)),
            ("layer_output_norm", (_WIDTH,)),
        ):
            yield f"blk.{layer}.{name}.weight", shape
            yield f"blk.{layer}.{name}.bias", shape[:1]
