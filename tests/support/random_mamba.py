"""GGUF files of the mamba architecture with random weights: layers with a state, no attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import gguf
import numpy as np

from tests.support.random_model import add_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_KERNEL = 4


def write_random_mamba(
    path: Path, *, layers: int = 3, width: int = 256, state: int = 16, vocabulary: int = 1000
) -> Path:
    """Write a model to `path` whose inner layers are twice as wide as it is; returns `path`."""
    inner, steps = 2 * width, width // 16
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(steps)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_tokenizer(writer, vocabulary, ())
    tensors: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, width),
        "output_norm.weight": (width,),
    }
    for layer in range(layers):
        block = {
            "attn_norm.weight": (width,),
            "ssm_in.weight": (2 * inner, width),
            "ssm_conv1d.weight": (inner, _KERNEL),
            "ssm_conv1d.bias": (inner,),
            "ssm_x.weight": (steps + 2 * state, inner),
            "ssm_dt.weight": (inner, steps),
            "ssm_dt.bias": (inner,),
            "ssm_a": (inner, state),
            "ssm_d": (inner,),
            "ssm_out.weight": (width, inner),
        }
        tensors |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    random = np.random.default_rng(0)
    for name, shape in tensors.items():
        values = random.standard_normal(shape) / math.sqrt(shape[-1])
        is_matrix = len(shape) > 1 and not name.endswith(("ssm_a", "conv1d.weight"))
        writer.add_tensor(name, values.astype(np.float16 if is_matrix else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
