"""GGUF files built byte by byte, right and wrong ones, without any GGUF library.

A metadata pair is `(key, type, value)`. A type is the specification's name, `uint32` or `string`;
an array's is the name of its items' type in brackets, `[string]`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from smolctl.model.gguf import GGUFHeader, read_header

Pair = tuple[str, str, Any]
Tensor = tuple[str, Sequence[int], int, int]  # name, shape, ggml type, offset

F32, F16, Q4_0, Q8_0, Q4_K = 0, 1, 2, 8, 12

VALUE_TYPES = {
    "uint8": (0, "B"),
    "int8": (1, "b"),
    "uint16": (2, "H"),
    "int16": (3, "h"),
    "uint32": (4, "I"),
    "int32": (5, "i"),
    "float32": (6, "f"),
    "bool": (7, "B"),
    "string": (8, ""),
    "uint64": (10, "Q"),
    "int64": (11, "q"),
    "float64": (12, "d"),
}
ARRAY = 9


def parse_header(content: bytes, size: int | None = None) -> GGUFHeader:
    return read_header(io.BytesIO(content), size=size)


def string(text: str | bytes, order: str = "<") -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack(f"{order}Q", len(raw)) + raw


def items(kind: str, values: Iterable[Any], order: str = "<") -> bytes:
    if kind == "string":
        return b"".join(string(value, order) for value in values)
    numbers = list(values)
    return struct.pack(f"{order}{len(numbers)}{VALUE_TYPES[kind][1]}", *numbers)


def pair(key: str | bytes, kind: str, value: Any, order: str = "<") -> bytes:
    if kind.startswith("["):
        inner = kind[1:-1]
        head = struct.pack(f"{order}IIQ", ARRAY, VALUE_TYPES[inner][0], len(value))
        return string(key, order) + head + items(inner, value, order)
    code = struct.pack(f"{order}I", VALUE_TYPES[kind][0])
    return string(key, order) + code + items(kind, [value], order)


def tensor(name: str | bytes, shape: Sequence[int], kind: int, offset: int, order: str) -> bytes:
    dimensions = struct.pack(f"{order}I{len(shape)}Q", len(shape), *shape)
    return string(name, order) + dimensions + struct.pack(f"{order}IQ", kind, offset)


def preamble(tensor_count: int, key_count: int, *, version: int = 3, order: str = "<") -> bytes:
    return b"GGUF" + struct.pack(f"{order}IQQ", version, tensor_count, key_count)


def header(
    pairs: Sequence[Pair] = (),
    tensors: Sequence[Tensor] = (),
    *,
    version: int = 3,
    order: str = "<",
) -> bytes:
    """A header without the padding and the data that follow it."""
    return (
        preamble(len(tensors), len(pairs), version=version, order=order)
        + b"".join(pair(*each, order) for each in pairs)
        + b"".join(tensor(*each, order) for each in tensors)
    )


def file(
    pairs: Sequence[Pair] = (),
    tensors: Sequence[Tensor] = (),
    *,
    data_bytes: int = 0,
    alignment: int = 32,
    version: int = 3,
    order: str = "<",
) -> bytes:
    """A whole file: header, padding and `data_bytes` zeros of weights."""
    head = header(pairs, tensors, version=version, order=order)
    return head + bytes(-len(head) % alignment) + bytes(data_bytes)


TINY_TOKENS = ["<unk>", "<s>", "</s>", *(f"token{number}" for number in range(29))]


def tiny_llama_pairs() -> list[Pair]:
    """The metadata of a complete, very small model of the llama architecture."""
    return [
        ("general.architecture", "string", "llama"),
        ("general.name", "string", "Tiny"),
        ("general.license", "string", "apache-2.0"),
        ("general.file_type", "uint32", 1),
        ("llama.block_count", "uint32", 2),
        ("llama.context_length", "uint32", 1024),
        ("llama.embedding_length", "uint32", 64),
        ("llama.feed_forward_length", "uint32", 128),
        ("llama.attention.head_count", "uint32", 4),
        ("llama.attention.head_count_kv", "uint32", 2),
        ("llama.attention.layer_norm_rms_epsilon", "float32", 1e-5),
        ("tokenizer.ggml.model", "string", "llama"),
        ("tokenizer.ggml.pre", "string", "default"),
        ("tokenizer.ggml.tokens", "[string]", TINY_TOKENS),
        ("tokenizer.ggml.scores", "[float32]", [0.0] * len(TINY_TOKENS)),
        ("tokenizer.ggml.token_type", "[int32]", [1] * len(TINY_TOKENS)),
        ("tokenizer.ggml.unknown_token_id", "uint32", 0),
        ("tokenizer.ggml.bos_token_id", "uint32", 1),
        ("tokenizer.ggml.eos_token_id", "uint32", 2),
        ("tokenizer.ggml.add_bos_token", "bool", True),
        ("tokenizer.ggml.add_eos_token", "bool", False),
        ("tokenizer.chat_template", "string", "{{ messages[0].content }}"),
        ("tokenizer.chat_template.tool_use", "string", "{{ tools }}"),
    ]


TINY_TENSORS: list[Tensor] = [
    ("token_embd.weight", (64, 32), F16, 0),
    ("output_norm.weight", (64,), F32, 4096),
    ("blk.0.attn_q.weight", (64, 64), Q8_0, 4352),
]
TINY_DATA_BYTES = 4352 + 64 * 64 // 32 * 34


def tiny_llama(*, order: str = "<", version: int = 3) -> bytes:
    """A whole file of the metadata above and three tensors, in F16, F32 and Q8_0."""
    return file(
        tiny_llama_pairs(),
        TINY_TENSORS,
        data_bytes=TINY_DATA_BYTES,
        order=order,
        version=version,
    )


def shard(index: int, count: int) -> bytes:
    """One file of a model that was split into `count`; the first has all of the metadata."""
    split: list[Pair] = [
        ("split.no", "uint16", index),
        ("split.count", "uint16", count),
        ("split.tensors.count", "int32", count),
    ]
    pairs = tiny_llama_pairs() + split if index == 0 else split
    return file(pairs, [(f"blk.{index}.weight", (32,), F32, 0)], data_bytes=128)


def _array(kind: int, length: int, body: bytes = b"") -> bytes:
    """A header whose only pair is an array that claims `length` items."""
    return preamble(0, 1) + string("a") + struct.pack("<IIQ", ARRAY, kind, length) + body


_NESTED = struct.pack("<IQ", ARRAY, 1) * 1000

HOSTILE: dict[str, bytes] = {
    "key count": preamble(0, 2**63),
    "key count within the limit": preamble(0, 65_536),
    "tensor count": preamble(2**40, 0),
    "all counts": preamble(2**64 - 1, 2**64 - 1),
    "key length": preamble(0, 1) + struct.pack("<Q", 2**62),
    "key too long": preamble(0, 1) + string(b"k" * 65_536) + struct.pack("<IB", 0, 0),
    "empty key": preamble(0, 1) + string("") + struct.pack("<IB", 0, 0),
    "key that is no text": preamble(0, 1) + pair(b"\xff\xfe", "uint8", 0),
    "duplicate key": header([("a", "uint8", 1), ("a", "uint8", 2)]),
    "string length": preamble(0, 1) + string("a") + struct.pack("<IQ", 8, 2**62),
    "string length, signed": preamble(0, 1) + string("a") + struct.pack("<IQ", 8, 2**64 - 1),
    "value type": preamble(0, 1) + string("a") + struct.pack("<IQ", 99, 0),
    "array of numbers": _array(4, 2**62),
    "array of bytes": _array(0, 2**64 - 1),
    "array of strings": _array(8, 2**61),
    "array of strings, overflowing": _array(8, 2**64 - 1),
    "array whose strings are long": _array(8, 20, (struct.pack("<Q", 0) * 19) + b"\xff" * 8),
    "array of an unknown type": _array(99, 0),
    "array of arrays": _array(ARRAY, 2**40),
    "array of arrays of arrays": _array(ARRAY, 1, _NESTED),
    "truth value": header([("a", "bool", 2)]),
    "truth value in an array": header([("a", "[bool]", [0, 1, 255])]),
    "truth value in a long array": header([("a", "[bool]", [1] * 99_999 + [2])]),
    "alignment 0": header([("general.alignment", "uint32", 0)]),
    "alignment 24": header([("general.alignment", "uint32", 24)]),
    "alignment of text": header([("general.alignment", "string", "32")]),
    "alignment true": header([("general.alignment", "bool", 1)]),
    "alignment -32": header([("general.alignment", "int32", -32)]),
    "duplicate tensor": header([], [("t", (32,), F32, 0), ("t", (32,), F32, 128)]),
    "tensor name length": preamble(1, 0) + struct.pack("<QQQ", 2**50, 0, 0),
    "tensor name that is no text": preamble(1, 0) + tensor(b"\xff", (32,), F32, 0, "<"),
    "5 dimensions": header([], [("t", (1, 1, 1, 1, 1), F32, 0)]),
    "2**31 dimensions": preamble(1, 0) + string("t") + struct.pack("<IQQ", 2**31, 1, 1),
    "dimension 0": header([], [("t", (32, 0), F32, 0)]),
    "elements beyond 63 bits": header([], [("t", (2**32, 2**32), F32, 0)]),
    "row that does not fill its blocks": header([], [("t", (960,), Q4_K, 0)]),
    "scalar of a block type": header([], [("t", (), Q4_0, 0)]),
    "offset that is not aligned": header([], [("t", (32,), F32, 8)]),
    "version 0": preamble(0, 0, version=0),
    "version 1": preamble(0, 0, version=1),
    "version 1, big-endian": preamble(0, 0, version=1, order=">"),
    "version 4": preamble(0, 0, version=4),
    "version 2**31": preamble(0, 0, version=2**31),
    "text": b"Hello, world.\n",
    "text with control characters": b"\x1b[2JHello",
    "zip": b"PK\x03\x04" + bytes(64),
    "almost the magic": b"GGUG" + bytes(64),
    "other case": b"gguf" + bytes(64),
}
"""Headers that are refused however the file goes on, by what is wrong with them."""
