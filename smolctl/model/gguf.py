"""Reading the header of a GGUF file: metadata and the list of tensors, never the weights.

The layout is the one of the GGUF specification (ggml, docs/gguf.md, "File Structure"), and what is
refused is what llama.cpp's own reader (ggml, src/gguf.cpp) refuses, with these differences:

- big-endian files are read;
- tensors of an unknown type are listed, because a model newer than this reader can still be shown;
- truth values other than 0 and 1 and dimensions of 0 are refused, and so are headers beyond the
  limits below and in `gguf_stream`;
- tensors may lie in any order, as long as each is aligned and inside the file.

Files are hostile until proven otherwise: whatever their bytes, nothing but `InvalidGGUF` comes out.
"""

from __future__ import annotations

import os
import stat
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from smolctl.errors import InvalidGGUF, StorageError
from smolctl.model.gguf_header import ArrayFacts, GGUFHeader, Scalar, TokenizerFacts
from smolctl.model.gguf_stream import ByteOrder, HeaderStream, TruncatedHeader
from smolctl.model.gguf_tensors import TENSOR_TYPES, TensorInfo

__all__ = [
    "ArrayFacts",
    "GGUFHeader",
    "Scalar",
    "TensorInfo",
    "TokenizerFacts",
    "TruncatedHeader",
    "read_file",
    "read_header",
]

MAGIC = b"GGUF"

MAX_KEYS = 65_536
MAX_TENSORS = 65_536
"""Mixtures of experts that store each expert apart come near 50,000."""

MAX_KEY_BYTES = 65_535
"""The specification's own limit for a key, and here for a tensor's name too."""

MAX_STRING_BYTES = 16 * 1024 * 1024

_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32
_MAX_DIMENSIONS = 4
_KEPT_ITEMS = 16
_KEPT_LAYERS = 512  # llama.cpp's LLAMA_MAX_LAYERS
_ITEM_BYTES = 40  # what Python needs for a number in a tuple, about

# The least bytes one entry takes: an empty name, a one-byte value; an empty name, no dimension.
_LEAST_PAIR_BYTES = 8 + 4 + 1
_LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8

# `enum gguf_metadata_value_type`; those of a fixed size with name, `struct` format and bytes.
_BOOL, _STRING, _ARRAY = 7, 8, 9
_FIXED = {
    0: ("uint8", "B", 1),
    1: ("int8", "b", 1),
    2: ("uint16", "H", 2),
    3: ("int16", "h", 2),
    4: ("uint32", "I", 4),
    5: ("int32", "i", 4),
    6: ("float32", "f", 4),
    7: ("bool", "?", 1),
    10: ("uint64", "Q", 8),
    11: ("int64", "q", 8),
    12: ("float64", "d", 8),
}


def read_file(path: str | os.PathLike[str]) -> GGUFHeader:
    """Return the header of the GGUF file at `path`.

    Raises `InvalidGGUF` for what is no GGUF file, or one that is damaged or cut short, and
    `StorageError` for what cannot be read. `InvalidGGUF` does not name the file: a model's blob
    has a name that tells people nothing, so the caller says which model or file it was.
    """
    try:
        # Opening a named pipe would wait for a writer.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise StorageError(f"not a file: {os.fspath(path)}")
        with Path(path).open("rb", buffering=0) as stream:
            return read_header(stream, size=os.fstat(stream.fileno()).st_size)
    except OSError as error:
        raise StorageError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error


def read_header(stream: BinaryIO, *, size: int | None = None) -> GGUFHeader:
    """Return the GGUF header at the start of `stream`, of which only `read(n)` is used.

    `size` is that of the whole file in bytes, also when the stream holds just its beginning; with
    it, a file too small for its tensors is recognized. The stream is read up to 64 KiB further
    than the header goes.

    Raises `TruncatedHeader` when the stream ends inside the header, and `InvalidGGUF` when what is
    there can be no valid header, however it goes on. What `stream.read` raises passes through.
    """
    source = HeaderStream(stream, size)
    magic = source.peek(len(MAGIC))
    if size == 0 or not MAGIC.startswith(magic):
        start = "it does not begin with the letters GGUF" if magic else "it is empty"
        raise InvalidGGUF(f"not a GGUF file: {start}")
    source.take(len(MAGIC))
    version, byte_order = _read_version(source)
    source.set_byte_order(byte_order)

    tensor_count, key_count = source.uint64(), source.uint64()
    if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
        raise InvalidGGUF(
            f"the GGUF header claims {tensor_count} tensors and {key_count} metadata keys; "
            f"at most {MAX_TENSORS} and {MAX_KEYS} are accepted"
        )
    source.expect(key_count * _LEAST_PAIR_BYTES + tensor_count * _LEAST_TENSOR_BYTES)

    metadata: dict[str, Scalar | ArrayFacts] = {}
    for _ in range(key_count):
        key = _read_name(source, "a metadata key")
        if not key:
            raise InvalidGGUF("the GGUF header has a metadata key without a name")
        if key in metadata:
            raise InvalidGGUF(f"the GGUF header has {_shown(key)} twice")
        metadata[key] = _read_value(source, key)
    alignment = _alignment(metadata)

    tensors: dict[str, TensorInfo] = {}
    for _ in range(tensor_count):
        tensor = _read_tensor(source, alignment)
        if tensor.name in tensors:
            raise InvalidGGUF(f"the GGUF header lists tensor {_shown(tensor.name)} twice")
        tensors[tensor.name] = tensor

    header = GGUFHeader(
        version=version,
        byte_order=byte_order,
        alignment=alignment,
        metadata=MappingProxyType(metadata),
        tensors=tuple(tensors.values()),
        data_offset=-(-source.position // alignment) * alignment,
        size=size,
    )
    _check_size(header)
    return header


def _read_version(source: HeaderStream) -> tuple[int, ByteOrder]:
    """Return the version and byte order: a version is small, so its zero bytes tell the order."""
    raw = source.take(4)
    little, big = int.from_bytes(raw, "little"), int.from_bytes(raw, "big")
    if little in _VERSIONS:
        return little, "little"
    if big in _VERSIONS:
        return big, "big"
    version = min(little, big)
    if version == 1:
        raise InvalidGGUF(
            "GGUF version 1 is no longer supported, by llama.cpp neither",
            hint="Convert the model again with a current tool, or get a newer file of it.",
        )
    raise InvalidGGUF(f"GGUF version {version} is not known here; versions 2 and 3 are")


def _read_name(source: HeaderStream, what: str) -> str:
    """Return a key or a tensor's name; one that is not UTF-8 could not be asked for later."""
    raw = source.string(MAX_KEY_BYTES, what)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidGGUF(f"{what} in the GGUF header is not UTF-8: {raw[:40]!r}") from None


def _read_value(source: HeaderStream, key: str) -> Scalar | ArrayFacts:
    kind = source.uint32()
    if kind == _ARRAY:
        return _read_array(source, key)
    return _read_items(source, kind, 1, key)[0]


def _read_array(source: HeaderStream, key: str) -> ArrayFacts:
    kind, length = source.uint32(), source.uint64()
    if kind == _ARRAY:
        raise InvalidGGUF(
            f"{_shown(key)} in the GGUF header is an array of arrays, which llama.cpp refuses too"
        )
    if kind == _STRING:
        source.expect(8 * length)
        head = _read_items(source, kind, min(length, _KEPT_ITEMS), key)
        source.skip_strings(length - len(head))
        return ArrayFacts("string", length, head)

    name, _, item_bytes = _fixed(kind, key)
    source.expect(item_bytes * length)
    head = _read_items(source, kind, length if length <= _KEPT_LAYERS else _KEPT_ITEMS, key)
    if kind == _BOOL:
        source.skip_bools(length - len(head))
    else:
        source.skip(item_bytes * (length - len(head)))
    return ArrayFacts(name, length, head)


def _read_items(source: HeaderStream, kind: int, count: int, key: str) -> tuple[Scalar, ...]:
    """Return `count` values of one type that is no array; all of them are kept."""
    source.keep(_ITEM_BYTES * count)
    if kind == _STRING:
        # Vocabularies of older models have tokens cut in the middle of a character.
        return tuple(
            source.string(MAX_STRING_BYTES, _shown(key)).decode(errors="replace")
            for _ in range(count)
        )
    if kind == _BOOL:
        return source.bools(count)
    return source.numbers(_fixed(kind, key)[1], count)


def _fixed(kind: int, key: str) -> tuple[str, str, int]:
    """Return the name, `struct` format and size in bytes of a value type of a fixed size."""
    if kind not in _FIXED:
        raise InvalidGGUF(f"{_shown(key)} in the GGUF header has the unknown value type {kind}")
    return _FIXED[kind]


def _alignment(metadata: dict[str, Scalar | ArrayFacts]) -> int:
    value = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0 or value & (value - 1):
        raise InvalidGGUF("general.alignment in the GGUF header is not a power of two")
    return value


def _read_tensor(source: HeaderStream, alignment: int) -> TensorInfo:
    name = _read_name(source, "a tensor's name")
    dimensions = source.uint32()
    # None at all is a scalar, which multimodal projectors have.
    if dimensions > _MAX_DIMENSIONS:
        raise InvalidGGUF(f"tensor {_shown(name)} has {dimensions} dimensions; 4 are the most")
    shape = source.numbers("Q", dimensions)
    elements = prod(shape)
    if not 0 < elements < 2**63:
        raise InvalidGGUF(f"tensor {_shown(name)} has the impossible shape {shape}")

    number, offset = source.uint32(), source.uint64()
    if offset % alignment:
        raise InvalidGGUF(f"tensor {_shown(name)} is not aligned to {alignment} bytes")
    kind = TENSOR_TYPES.get(number)
    if kind is None:
        return TensorInfo(name, shape, f"type-{number}", offset, None)
    row = shape[0] if shape else 1
    if row % kind.block_elements:
        raise InvalidGGUF(
            f"tensor {_shown(name)} has rows of {row} elements, "
            f"which {kind.name} cannot pack into blocks of {kind.block_elements}"
        )
    nbytes = elements // kind.block_elements * kind.block_bytes
    return TensorInfo(name, shape, kind.name, offset, nbytes)


def _check_size(header: GGUFHeader) -> None:
    """Refuse a file that ends before its last tensor does."""
    # An unknown type has an unknown size; at least its first byte must be there.
    ends = (tensor.offset + (tensor.nbytes or 1) for tensor in header.tensors)
    needed = header.data_offset + max(ends, default=0)
    if header.tensors and header.size is not None and needed > header.size:
        raise InvalidGGUF(
            f"the file has {header.size} bytes, its tensors need {needed}; it was cut short",
            hint="Pull or download it again.",
        )


def _shown(name: str) -> str:
    """Return a name from the file as it goes into an error: quoted, escaped and not too long."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")
