"""The reader and its tables against other implementations: the `gguf` package and ggml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf as reference
import numpy
import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from smolctl.model.gguf import ArrayFacts, TokenizerFacts, read_file
from smolctl.model.gguf_tensors import FILE_TYPES, TENSOR_TYPES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("endian", [reference.GGUFEndian.LITTLE, reference.GGUFEndian.BIG])
def test_agrees_with_the_gguf_package(tmp_path: Path, endian):
    path = tmp_path / "model.gguf"
    writer = reference.GGUFWriter(path, "llama", endianess=endian)
    writer.add_name("Reference")
    writer.add_license("mit")
    writer.add_custom_alignment(64)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(2048)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length([128, 256])
    writer.add_head_count(4)
    writer.add_head_count_kv([2, 1])
    writer.add_key_length(32)
    writer.add_value_length(16)
    writer.add_vocab_size(5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["a", "b", "é", "<|im_start|>", "<|im_end|>"])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(3)
    writer.add_eos_token_id(4)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(
        [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]
    )
    writer.add_tensor("f32", numpy.zeros((3, 64), numpy.float32))
    writer.add_tensor("f16", numpy.zeros((2, 3, 4, 5), numpy.float16))
    writer.add_tensor(
        "q8_0", numpy.zeros((7, 68), numpy.uint8), raw_dtype=GGMLQuantizationType.Q8_0
    )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    header, other = read_file(path), reference.GGUFReader(path)
    assert header.data_offset == other.data_offset
    assert header.alignment == other.alignment == 64
    assert len(header.tensors) == len(other.tensors)
    for ours, theirs in zip(header.tensors, other.tensors, strict=True):
        assert (ours.name, ours.shape) == (theirs.name, tuple(theirs.shape.tolist()))
        assert (ours.type, ours.nbytes) == (theirs.tensor_type.name, theirs.n_bytes)
        assert ours.elements == theirs.n_elements
        assert header.data_offset + ours.offset == theirs.data_offset
    theirs = {key: field for key, field in other.fields.items() if not key.startswith("GGUF.")}
    assert list(header.metadata) == list(theirs)
    for key, field in theirs.items():
        value, expected = header.metadata[key], field.contents()
        if isinstance(value, ArrayFacts):
            assert value.element_type == field.types[-1].name.lower()
            assert (value.length, list(value.head)) == (len(expected), expected)
        else:
            assert value == expected
            assert type(value) is type(expected)

    assert header.quantization == "Q8_0"
    assert header.head_count_kv_all_layers == 3
    assert (header.key_length, header.value_length) == (32, 16)
    assert header.feed_forward_length == 256
    assert header.chat_templates == {"default": "D", "tool_use": "T"}
    assert header.tokenizer == TokenizerFacts(
        model="gpt2",
        pre="smollm",
        vocabulary_size=5,
        bos_id=3,
        eos_id=4,
        unk_id=1,
        pad_id=0,
        add_bos=False,
        add_eos=None,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
    )


def test_tensor_types_agree_with_the_gguf_package():
    for kind, (block_elements, block_bytes) in GGML_QUANT_SIZES.items():
        ours = TENSOR_TYPES[kind.value]
        # The package still counts 40 bytes for Q8_1; ggml has 36, as the next test shows.
        expected = 36 if kind.name == "Q8_1" else block_bytes
        assert (ours.name, ours.block_elements, ours.block_bytes) == (
            kind.name,
            block_elements,
            expected,
        )


def test_tensor_types_agree_with_ggml_itself():
    bindings = pytest.importorskip("llama_cpp.llama_cpp")
    ggml = bindings._lib
    ggml.ggml_blck_size.restype = bindings.ctypes.c_int64
    ggml.ggml_type_size.restype = bindings.ctypes.c_size_t
    ggml.ggml_type_name.restype = bindings.ctypes.c_char_p
    for number in range(min(bindings.GGML_TYPE_COUNT, max(TENSOR_TYPES) + 1)):
        theirs = (ggml.ggml_blck_size(number), ggml.ggml_type_size(number))
        ours = TENSOR_TYPES.get(number)
        if ours is None:
            assert theirs == (0, 0)
        else:
            assert (ours.block_elements, ours.block_bytes) == theirs
            assert ours.name.lower() == ggml.ggml_type_name(number).decode().lower()


def test_file_types_agree_with_llama_cpp():
    bindings = pytest.importorskip("llama_cpp.llama_cpp")
    theirs = {
        value: name.split("_", 3)[3]
        for name, value in vars(bindings).items()
        if name.startswith(("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_"))
    }
    assert theirs.items() <= FILE_TYPES.items()


def test_file_types_agree_with_the_gguf_package():
    theirs = {
        kind.value: kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in LlamaFileType
        if kind.name != "GUESSED"
    }
    assert theirs.items() <= FILE_TYPES.items()
    assert max(FILE_TYPES) < 1024
