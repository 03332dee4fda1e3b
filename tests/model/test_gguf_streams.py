"""Streams that are short, slow, cut off or no files at all."""

from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import InvalidGGUF, StorageError
from smolctl.model.gguf import TruncatedHeader, read_file, read_header
from smolctl.model.gguf_stream import READ_AHEAD
from tests.support import gguf_files
from tests.support.gguf_files import parse_header as parse

if TYPE_CHECKING:
    from pathlib import Path


class Dribble:
    """A stream that gives a few bytes at a time and counts what it gave."""

    def __init__(self, content: bytes, most: int) -> None:
        self._stream = io.BytesIO(content)
        self._most = most
        self.given = 0

    def read(self, count: int) -> bytes:
        assert count <= READ_AHEAD, "asked for a length that the header claims"
        piece = self._stream.read(min(count, self._most))
        self.given += len(piece)
        return piece


@pytest.mark.parametrize("most", [1, 3, 7, 4096])
def test_short_reads_change_nothing(most):
    content = gguf_files.tiny_llama()
    assert read_header(Dribble(content, most)) == parse(content)  # type: ignore[arg-type]


def test_no_more_than_a_buffer_is_read_beyond_the_header():
    header = gguf_files.header(gguf_files.tiny_llama_pairs(), gguf_files.TINY_TENSORS)
    stream = Dribble(header + bytes(1_000_000), READ_AHEAD)
    read_header(stream)  # type: ignore[arg-type]
    assert stream.given <= len(header) + READ_AHEAD


def test_a_remote_reader_gets_there_by_asking_for_what_is_needed():
    content = vocabulary_file(3000, 3000)
    header, asked = None, [16]
    while header is None:
        try:
            header = parse(content[: asked[-1]], len(content))
        except TruncatedHeader as error:
            assert asked[-1] < error.needed <= len(content)  # noqa: PT017
            asked.append(max(error.needed, 2 * asked[-1]))
    assert header == parse(content, len(content))
    assert len(asked) < 20


def vocabulary_file(tokens: int, merges: int) -> bytes:
    return gguf_files.file(
        [
            ("general.architecture", "string", "llama"),
            ("tokenizer.ggml.tokens", "[string]", [f"token{n}" for n in range(tokens)]),
            ("tokenizer.ggml.token_type", "[int32]", [1] * tokens),
            ("tokenizer.ggml.merges", "[string]", [f"to ken{n}" for n in range(merges)]),
            ("tokenizer.ggml.eos_token_id", "uint32", 2),
        ]
    )


def test_a_vocabulary_is_skipped_quickly_and_in_little_memory():
    content = vocabulary_file(49_152, 48_900)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        header = parse(content, len(content))
        seconds.append(time.perf_counter() - started)
    assert header.vocabulary_size == 49_152
    assert header.metadata["tokenizer.ggml.merges"].length == 48_900
    assert header.metadata["tokenizer.ggml.eos_token_id"] == 2
    # About 0.01 s on an idle core; building the strings would take several times as long.
    assert min(seconds) < 0.1

    tracemalloc.start()
    try:
        parse(content, len(content))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_header_that_never_ends_is_given_up_at_the_limit(monkeypatch):
    monkeypatch.setattr("smolctl.model.gguf_stream.MAX_HEADER_BYTES", 100_000)
    body = gguf_files.items("string", ["x" * 100] * 1500)
    content = gguf_files.preamble(0, 1) + gguf_files.string("a") + struct.pack("<IIQ", 9, 8, 1500)
    stream = Dribble(content + body, 1000)
    with pytest.raises(InvalidGGUF, match="the longest one accepted is 100000") as caught:
        read_header(stream)  # type: ignore[arg-type]
    assert not isinstance(caught.value, TruncatedHeader)
    assert stream.given <= 100_000 + READ_AHEAD


def test_read_file_knows_the_size(tmp_path: Path):
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf_files.tiny_llama())
    assert read_file(path) == read_file(str(path))
    assert read_file(path).size == path.stat().st_size
    path.write_bytes(gguf_files.tiny_llama()[:-1])
    with pytest.raises(InvalidGGUF, match="it was cut short"):
        read_file(path)


@pytest.mark.timeout(10)
def test_what_is_no_readable_file_is_a_storage_error(tmp_path: Path):
    with pytest.raises(StorageError, match=r"cannot read .*missing\.gguf: No such file"):
        read_file(tmp_path / "missing.gguf")
    with pytest.raises(StorageError, match="not a file"):
        read_file(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(StorageError, match="not a file"):
            read_file(tmp_path / "pipe")


def test_an_error_while_reading_is_a_storage_error(tmp_path: Path, monkeypatch):
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf_files.tiny_llama())

    def fail(*_args, **_kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("smolctl.model.gguf.read_header", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        read_file(path)
