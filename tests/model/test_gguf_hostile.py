"""Headers made to crash, exhaust or mislead their reader, and headers made by chance."""

from __future__ import annotations

import struct
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.errors import InvalidGGUF
from smolctl.model.gguf import GGUFHeader, TruncatedHeader
from smolctl.model.memory import ContextShape, kv_cache_bytes, largest_context
from tests.support import gguf_files
from tests.support.examples import examples
from tests.support.gguf_files import parse_header as parse


@pytest.mark.parametrize("what", gguf_files.HOSTILE)
def test_hostile_headers_are_refused_early_and_in_little_memory(what):
    # Whatever the file goes on with, and however large it says it is.
    content = gguf_files.HOSTILE[what] + bytes(1024)
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(InvalidGGUF) as caught:
            parse(content, size=None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
    assert time.perf_counter() - started < 2
    assert not caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    assert caught.value.message.isprintable()
    with pytest.raises(InvalidGGUF):
        parse(content, size=2**60)
    with pytest.raises(InvalidGGUF):
        parse(content, size=len(content))


CERTAIN = [what for what in gguf_files.HOSTILE if what != "key count within the limit"]


@pytest.mark.parametrize("what", CERTAIN)
def test_what_no_more_bytes_could_mend_is_not_called_truncated(what):
    with pytest.raises(InvalidGGUF) as caught:
        parse(gguf_files.HOSTILE[what])
    assert not isinstance(caught.value, TruncatedHeader)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Hello, world.\n", "not a GGUF file: it does not begin with the letters GGUF"),
        (b"\x1b[2J", "not a GGUF file: it does not begin with the letters GGUF"),
        (b"Hi", "not a GGUF file: it does not begin with the letters GGUF"),
        (b"", "not a GGUF file: it is empty"),
        (b"GGU", "the file has 3 bytes and ends inside its GGUF header, which needs 4 or more"),
        (
            gguf_files.preamble(2, 65_536),
            "the file has 24 bytes and ends inside its GGUF header, which needs 852040 or more",
        ),
        (
            gguf_files.HOSTILE["array of arrays"],
            "'a' in the GGUF header is an array of arrays, which llama.cpp refuses too",
        ),
        (
            gguf_files.preamble(0, 0, version=4),
            "GGUF version 4 is not known here; versions 2 and 3 are",
        ),
        (
            gguf_files.preamble(0, 0, version=1, order=">"),
            "GGUF version 1 is no longer supported, by llama.cpp neither",
        ),
        (
            gguf_files.header([("\x1b[31m" + "k" * 200, "uint8", 1)] * 2),
            f"the GGUF header has '\\x1b[31m{'k' * 95}…' twice",
        ),
    ],
)
def test_messages(content, message):
    with pytest.raises(InvalidGGUF) as caught:
        parse(content, len(content))
    assert caught.value.message == message


def test_a_file_cut_short_inside_its_weights_says_both_sizes():
    content = gguf_files.tiny_llama()
    parse(content, len(content))
    with pytest.raises(InvalidGGUF) as caught:
        parse(content[:-1], len(content) - 1)
    assert caught.value.message == (
        f"the file has {len(content) - 1} bytes, its tensors need {len(content)}; it was cut short"
    )


def test_a_file_cut_short_anywhere_inside_its_header():
    header = gguf_files.header(gguf_files.tiny_llama_pairs(), gguf_files.TINY_TENSORS)
    for length in range(len(header)):
        with pytest.raises(TruncatedHeader) as truncated:
            parse(header[:length])
        assert length < truncated.value.needed <= len(header)
        with pytest.raises(InvalidGGUF) as known:
            parse(header[:length], length)
        assert not isinstance(known.value, TruncatedHeader)
    assert parse(header).tensors


def test_text_and_numbers_are_kept_up_to_a_limit_in_all():
    half = b"x" * (16 * 1024 * 1024)
    assert len(parse(gguf_files.header([("a", "string", half)])).metadata["a"]) == len(half)
    with pytest.raises(InvalidGGUF, match="are longer than"):
        parse(gguf_files.header([("a", "string", half), ("b", "string", half)]))
    with pytest.raises(InvalidGGUF, match="'a' is 16777217 bytes long; at most 16777216"):
        parse(gguf_files.header([("a", "string", half + b"x")]))
    pairs = [(str(n), "[uint8]", bytes(512)) for n in range(2000)]
    with pytest.raises(InvalidGGUF, match="are longer than"):
        parse(gguf_files.header(pairs))


def exercise(content: bytes, size: int | None) -> None:
    """Read, and when that works ask for everything: only `InvalidGGUF` may come out."""
    try:
        header = parse(content, size)
    except InvalidGGUF:
        return
    for name, attribute in vars(GGUFHeader).items():
        if isinstance(attribute, property):
            getattr(header, name)
    assert kv_cache_bytes(header, ContextShape(4096)) >= 0
    shape = ContextShape(header.context_length or 0)
    assert largest_context(header, header.weights_bytes, 2**34, shape) >= 256


FUZZ = settings(examples(300), deadline=2000, database=None)
TINY = gguf_files.header(gguf_files.tiny_llama_pairs(), gguf_files.TINY_TENSORS)
LENGTHS = st.sampled_from([0, 1, 2**7, 2**16, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1])


@FUZZ
@given(
    edits=st.lists(st.tuples(st.integers(0, len(TINY) - 1), st.integers(0, 255)), max_size=8),
    keep=st.integers(0, len(TINY)) | st.just(len(TINY)),
    size=st.none() | st.integers(0, 2**64),
)
def test_changed_bytes(edits, keep, size):
    content = bytearray(TINY)
    for index, value in edits:
        content[index] = value
    exercise(bytes(content[:keep]), size)


@FUZZ
@given(
    start=st.integers(0, len(TINY) - 8),
    value=LENGTHS,
    order=st.sampled_from("<>"),
    size=st.none() | st.just(len(TINY)) | st.just(2**50),
)
def test_changed_lengths(start, value, order, size):
    content = bytearray(TINY)
    struct.pack_into(f"{order}Q", content, start, value)
    exercise(bytes(content), size)


@FUZZ
@given(st.binary(max_size=400), st.integers(0, 3), st.integers(0, 3), st.sampled_from("<>"))
def test_any_bytes_after_a_good_start(body, tensors, keys, order):
    exercise(gguf_files.preamble(tensors, keys, order=order) + body, None)


@FUZZ
@given(st.binary(max_size=200), st.none() | st.integers(0, 2**64))
def test_any_bytes(content, size):
    exercise(content, size)
