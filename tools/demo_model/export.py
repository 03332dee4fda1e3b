"""The trained network written as a GGUF file, F16 matrices and F32 norms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np

from demo_model.network import NORM_EPSILON, ROPE_BASE, Geometry, Parameters
from demo_model.tokenizer import BOS, CHAT_TEMPLATE, EOS, SPECIAL, UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

DESCRIPTION = (
    "A demo model of the smolctl project, trained from scratch on a generated corpus. It knows a"
    " few hundred facts and nothing else. It is not SmolLM2."
)


def write_gguf(
    path: Path, parameters: Parameters, tokenizer: Tokenizer, geometry: Geometry, size_label: str
) -> None:
    """Write the model to `path`, everything llama.cpp needs in it."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("smolctl demo model")
    writer.add_basename("smolctl-demo")
    writer.add_author("smolctl")
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_size_label(size_label)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(geometry.context)
    writer.add_embedding_length(geometry.width)
    writer.add_block_count(geometry.layers)
    writer.add_feed_forward_length(geometry.feed_forward)
    writer.add_head_count(geometry.heads)
    writer.add_head_count_kv(geometry.kv_heads)
    writer.add_rope_dimension_count(geometry.head_size)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)
    writer.add_vocab_size(geometry.vocabulary)
    _add_tokenizer(writer, tokenizer)
    _add_matrix(writer, "token_embd.weight", parameters["token_embd"])
    _add_norm(writer, "output_norm.weight", parameters["output_norm"])
    for number, block in enumerate(parameters["blocks"]):
        for name, values in block.items():
            add = _add_norm if name.endswith("norm") else _add_matrix
            add(writer, f"blk.{number}.{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_matrix(writer: gguf.GGUFWriter, name: str, values: Any) -> None:
    writer.add_tensor(name, np.asarray(values, np.float16))


def _add_norm(writer: gguf.GGUFWriter, name: str, values: Any) -> None:
    writer.add_tensor(name, np.asarray(values, np.float32))


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens
    ]
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(vocabulary[BOS])
    writer.add_eos_token_id(vocabulary[EOS])
    writer.add_unk_token_id(vocabulary[UNKNOWN])
    writer.add_pad_token_id(vocabulary[EOS])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
