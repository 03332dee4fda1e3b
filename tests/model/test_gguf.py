from __future__ import annotations

import pytest

from smolctl.model.gguf import ArrayFacts, TensorInfo, TokenizerFacts
from tests.support import gguf_files
from tests.support.gguf_files import F16, F32, Q8_0
from tests.support.gguf_files import parse_header as parse


@pytest.mark.parametrize(("order", "name"), [("<", "little"), (">", "big")])
def test_reads_everything_in_either_byte_order(order, name):
    content = gguf_files.tiny_llama(order=order)
    header = parse(content, len(content))
    assert (header.version, header.byte_order, header.alignment) == (3, name, 32)
    assert header.size == len(content)
    assert header.data_offset == len(content) - gguf_files.TINY_DATA_BYTES
    assert header.tensors == (
        TensorInfo("token_embd.weight", (64, 32), "F16", 0, 4096),
        TensorInfo("output_norm.weight", (64,), "F32", 4096, 256),
        TensorInfo("blk.0.attn_q.weight", (64, 64), "Q8_0", 4352, 4352),
    )
    assert [tensor.elements for tensor in header.tensors] == [2048, 64, 4096]
    assert header.parameters == 2048 + 64 + 4096
    assert header.weights_bytes == 4096 + 256 + 4352
    assert (header.architecture, header.name, header.license) == ("llama", "Tiny", "apache-2.0")
    assert header.quantization == "F16"
    assert (header.block_count, header.context_length) == (2, 1024)
    assert (header.embedding_length, header.feed_forward_length) == (64, 128)
    assert (header.head_count, header.head_count_kv, header.head_count_kv_all_layers) == (4, 2, 4)
    assert (header.key_length, header.value_length) == (16, 16)
    assert header.metadata["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    assert header.vocabulary_size == 32
    assert header.tokenizer == TokenizerFacts(
        model="llama",
        pre="default",
        vocabulary_size=32,
        bos_id=1,
        eos_id=2,
        unk_id=0,
        pad_id=None,
        add_bos=True,
        add_eos=False,
        bos_token="<s>",
        eos_token="</s>",
    )
    assert header.chat_template == "{{ messages[0].content }}"
    assert header.chat_templates == {
        "default": "{{ messages[0].content }}",
        "tool_use": "{{ tools }}",
    }
    assert (header.split_count, header.split_index) == (None, None)
    assert not header.is_projector
    assert header.unknown_tensor_types == ()


def test_version_2_has_the_same_layout():
    old, new = parse(gguf_files.tiny_llama(version=2)), parse(gguf_files.tiny_llama())
    assert old.version == 2
    assert (old.metadata, old.tensors) == (new.metadata, new.tensors)


def test_metadata_is_read_only():
    with pytest.raises(TypeError):
        parse(gguf_files.tiny_llama()).metadata["general.name"] = "other"  # type: ignore[index]


def test_every_value_type_at_its_limits():
    pairs = [
        ("u8", "uint8", 255),
        ("i8", "int8", -128),
        ("u16", "uint16", 65535),
        ("i16", "int16", -32768),
        ("u32", "uint32", 2**32 - 1),
        ("i32", "int32", -(2**31)),
        ("u64", "uint64", 2**64 - 1),
        ("i64", "int64", -(2**63)),
        ("f32", "float32", 0.5),
        ("f64", "float64", 0.1),
        ("yes", "bool", 1),
        ("no", "bool", 0),
        ("text", "string", "naïve \x1b[31m"),
        ("empty", "string", ""),
    ]
    metadata = parse(gguf_files.header(pairs)).metadata
    assert list(metadata.items()) == [
        (key, bool(value) if kind == "bool" else value) for key, kind, value in pairs
    ]
    assert metadata["yes"] is True


def test_arrays_keep_their_head_and_per_layer_ones_all_items():
    pairs = [
        ("strings", "[string]", [f"s{n}" for n in range(20)]),
        ("layers", "[int32]", list(range(512))),
        ("long", "[int32]", list(range(513))),
        ("flags", "[bool]", [1, 0, 1]),
        ("many flags", "[bool]", [1, 0] * 50_000),
        ("none", "[string]", []),
        ("after", "uint8", 7),
    ]
    metadata = parse(gguf_files.header(pairs)).metadata
    assert metadata["strings"] == ArrayFacts("string", 20, tuple(f"s{n}" for n in range(16)))
    assert metadata["layers"] == ArrayFacts("int32", 512, tuple(range(512)))
    assert metadata["long"] == ArrayFacts("int32", 513, tuple(range(16)))
    assert metadata["flags"] == ArrayFacts("bool", 3, (True, False, True))
    assert metadata["many flags"] == ArrayFacts("bool", 100_000, (True, False) * 8)
    assert metadata["none"] == ArrayFacts("string", 0, ())
    assert metadata["after"] == 7
    assert [metadata[key].complete for key in ("strings", "layers", "long", "none")] == [
        False,
        True,
        False,
        True,
    ]


def test_a_value_that_is_not_utf8_is_kept_with_replacements():
    pairs = [("token", "string", b"\xe2\x82"), ("tokens", "[string]", [b"\xff", b"ok"])]
    metadata = parse(gguf_files.header(pairs)).metadata
    assert metadata["token"] == "\ufffd"
    assert metadata["tokens"] == ArrayFacts("string", 2, ("\ufffd", "ok"))


def test_layers_that_differ():
    header = parse(
        gguf_files.header(
            [
                ("general.architecture", "string", "deci"),
                ("deci.block_count", "uint32", 20),
                ("deci.embedding_length", "uint32", 512),
                ("deci.attention.head_count", "[uint32]", [8] * 20),
                ("deci.attention.head_count_kv", "[uint32]", [0, 4] * 10),
                ("deci.feed_forward_length", "[uint32]", list(range(100, 120))),
            ]
        )
    )
    assert header.per_layer("attention.head_count_kv") == (0, 4) * 10
    assert (header.head_count, header.head_count_kv) == (8, 4)
    assert header.head_count_kv_all_layers == 40
    assert header.feed_forward_length == 119
    assert header.key_length == 64


def test_stated_head_widths_win_and_missing_kv_heads_are_the_attention_heads():
    header = parse(
        gguf_files.header(
            [
                ("general.architecture", "string", "gemma"),
                ("gemma.block_count", "uint32", 3),
                ("gemma.embedding_length", "uint64", 512),
                ("gemma.attention.head_count", "uint32", 8),
                ("gemma.attention.key_length", "uint32", 256),
                ("gemma.attention.value_length", "uint32", 128),
                ("gemma.vocab_size", "uint32", 99),
            ]
        )
    )
    assert (header.key_length, header.value_length) == (256, 128)
    assert (header.head_count_kv, header.head_count_kv_all_layers) == (8, 24)
    assert header.vocabulary_size == header.tokenizer.vocabulary_size == 99


def test_facts_of_the_wrong_type_read_as_missing():
    header = parse(
        gguf_files.header(
            [
                ("general.architecture", "string", "llama"),
                ("general.name", "uint32", 5),
                ("general.file_type", "string", "Q4_K_M"),
                ("llama.context_length", "string", "many"),
                ("llama.block_count", "int32", -1),
                ("llama.embedding_length", "bool", 1),
                ("llama.attention.head_count_kv", "[string]", ["a"]),
                ("llama.attention.head_count", "float32", 4.0),
                ("llama.feed_forward_length", "[int32]", []),
                ("tokenizer.ggml.tokens", "uint32", 7),
                ("tokenizer.ggml.bos_token_id", "uint32", 7),
                ("tokenizer.ggml.add_bos_token", "uint8", 1),
                ("tokenizer.chat_template", "[string]", ["x"]),
                ("tokenizer.chat_template.x", "uint8", 1),
            ]
        )
    )
    facts = [
        header.name,
        header.quantization,
        header.context_length,
        header.block_count,
        header.embedding_length,
        header.head_count,
        header.head_count_kv,
        header.head_count_kv_all_layers,
        header.feed_forward_length,
        header.key_length,
        header.vocabulary_size,
        header.tokenizer.bos_token,
        header.tokenizer.add_bos,
        header.chat_template,
        header.split_count,
    ]
    assert facts == [None] * len(facts)
    assert header.chat_templates == {}


def test_a_token_beyond_the_kept_ones_has_no_text():
    pairs = [
        ("tokenizer.ggml.tokens", "[string]", [f"t{n}" for n in range(20)]),
        ("tokenizer.ggml.bos_token_id", "uint32", 15),
        ("tokenizer.ggml.eos_token_id", "uint32", 16),
    ]
    tokenizer = parse(gguf_files.header(pairs)).tokenizer
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("t15", None)
    assert tokenizer.eos_id == 16


def test_shards_and_projectors_are_recognized():
    first, second = parse(gguf_files.shard(0, 2)), parse(gguf_files.shard(1, 2))
    assert (first.split_index, second.split_index) == (0, 1)
    assert first.split_count == second.split_count == 2
    assert (first.architecture, second.architecture) == ("llama", None)
    assert parse(gguf_files.header([("general.architecture", "string", "clip")])).is_projector


@pytest.mark.parametrize(
    ("file_type", "tensors", "expected"),
    [
        (15, [("t", (32,), F32, 0)], "Q4_K_M"),
        (1024 | 15, [], "Q4_K_M"),
        (4, [("a", (32,), F32, 0), ("b", (1024,), Q8_0, 128)], "Q8_0"),
        (None, [("a", (1024,), F32, 0), ("b", (1024,), F16, 4096)], "F32"),
        (None, [("a", (1024,), 77, 0)], "type-77"),
        (None, [], None),
    ],
)
def test_quantization(file_type, tensors, expected):
    pairs = [] if file_type is None else [("general.file_type", "uint32", file_type)]
    assert parse(gguf_files.header(pairs, tensors)).quantization == expected


def test_a_tensor_of_an_unknown_type_is_listed_without_a_size():
    content = gguf_files.file(
        [], [("new", (100,), 77, 0), ("old", (32,), F32, 128)], data_bytes=256
    )
    header = parse(content, len(content))
    assert header.tensors[0] == TensorInfo("new", (100,), "type-77", 0, None)
    assert header.unknown_tensor_types == ("type-77",)
    assert (header.parameters, header.weights_bytes) == (132, 128)


def test_a_scalar_tensor_and_one_of_four_dimensions():
    tensors = [("scalar", (), F32, 0), ("four", (32, 2, 3, 4), Q8_0, 32)]
    header = parse(gguf_files.header([], tensors))
    assert [(t.elements, t.nbytes) for t in header.tensors] == [(1, 4), (768, 816)]


def test_tensors_may_lie_in_any_order_and_alignment_moves_the_data():
    tensors = [("late", (32,), F32, 4096), ("early", (32,), F32, 0)]
    content = gguf_files.file(
        [("general.alignment", "uint32", 4096)], tensors, alignment=4096, data_bytes=4096 + 128
    )
    header = parse(content, len(content))
    assert (header.alignment, header.data_offset) == (4096, 4096)


def test_a_file_without_tensors():
    content = gguf_files.header([("general.architecture", "string", "llama")])
    header = parse(content, len(content))
    assert (header.tensors, header.parameters, header.weights_bytes) == ((), 0, 0)
