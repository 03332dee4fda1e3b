"""Where a prompt comes from: words, a pipe, a file, both; and a pipe that nobody ever closes."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import prompt
from smolctl.cli.output import Output
from smolctl.cli.prompt import read_prompt, wants_chat
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

Connect = Callable[[int], None]


@pytest.fixture(autouse=True)
def _unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the test before read: a process reads its standard input once."""
    monkeypatch.setattr(prompt, "_read", [])


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make a descriptor standard input."""
    opened = []

    def use(handle: int) -> None:
        stream = open(handle, encoding="utf-8")  # noqa: SIM115
        opened.append(stream)
        monkeypatch.setattr(sys, "stdin", stream)

    yield use
    for stream in opened:
        stream.close()


def pipe(content: bytes) -> int:
    """A pipe that holds `content` and was closed after it."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def test_words_are_joined(connect: Connect) -> None:
    connect(os.open(os.devnull, os.O_RDONLY))

    assert read_prompt(["Why", "is", "it?"], Output()) == "Why is it?"


def test_a_pipe_is_the_prompt(connect: Connect) -> None:
    connect(pipe(b"Why?\n"))

    assert read_prompt([], Output()) == "Why?"


def test_words_come_first_then_a_blank_line_then_the_pipe(connect: Connect) -> None:
    connect(pipe(b"line 1\n\nline 2\n"))

    assert read_prompt(["Summarize:"], Output()) == "Summarize:\n\nline 1\n\nline 2"


def test_a_file_is_read(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    connect(os.open(path, os.O_RDONLY))

    assert read_prompt(["Summarize:"], Output()) == "Summarize:\n\nnotes"


def test_a_socket_is_read(connect: Connect) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(b"notes")
    connect(theirs.detach())

    assert read_prompt(["Summarize:"], Output()) == "Summarize:\n\nnotes"


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\n"])
def test_a_pipe_with_nothing_in_it_adds_nothing(connect: Connect, content: bytes) -> None:
    connect(pipe(content))

    assert read_prompt(["Why?"], Output()) == "Why?"


@pytest.mark.parametrize("words", [[], ["-"], [""], ["  "]])
def test_nothing_at_all_is_a_mistake(connect: Connect, words: list[str]) -> None:
    connect(pipe(b"\n"))

    with pytest.raises(UsageError, match="the prompt is empty"):
        read_prompt(words, Output())


def test_dev_null_is_a_mistake_without_words(connect: Connect) -> None:
    connect(os.open(os.devnull, os.O_RDONLY))

    with pytest.raises(UsageError):
        read_prompt([], Output())


@pytest.mark.parametrize("content", [b"caf\xe9 \xe6\x9d\xb1", b"%PDF-1.7\0"])
def test_bytes_that_are_no_text_are_refused_as_those_of_a_file_are(
    connect: Connect, content: bytes
) -> None:
    connect(pipe(content))

    for _ in range(2):  # the usual way asks again for what the short way has read
        with pytest.raises(UsageError, match="standard input is no text in UTF-8"):
            read_prompt([], Output())


def test_a_byte_order_mark_is_no_part_of_the_text(connect: Connect) -> None:
    connect(pipe(b"\xef\xbb\xbfWhy?"))

    assert read_prompt([], Output()) == "Why?"


def test_what_never_ends_is_not_read_for_ever(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt, "MAXIMUM_BYTES", 3_000_000)
    connect(os.open("/dev/zero", os.O_RDONLY))

    for _ in range(2):  # what was left of it is no prompt the second time
        with pytest.raises(UsageError, match="standard input has more than 3 MB"):
            read_prompt([], Output())


def test_a_large_text_arrives_whole(connect: Connect) -> None:
    content = "0123456789" * 100_000
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "w", encoding="utf-8") as stream:  # noqa: PTH123
            stream.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    connect(reading)

    assert read_prompt([], Output()) == content
    writer.join()


class TestAPipeThatNobodyCloses:
    @pytest.fixture
    def writing(self, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
        """The other end of standard input, which has no time to show signs of life."""
        monkeypatch.setattr("smolctl.cli.prompt._PATIENCE_SECONDS", 0.0)
        reading, writing = os.pipe()
        connect(reading)
        yield writing
        with contextlib.suppress(OSError):  # the test may have done it
            os.close(writing)

    def test_is_gone_on_without(self, writing: int, capsys: pytest.CaptureFixture[str]) -> None:
        assert writing
        assert read_prompt(["Why?"], Output()) == "Why?"

        captured = capsys.readouterr()
        assert captured.out == ""
        assert "Nothing came on standard input" in captured.err

        assert read_prompt(["Why?"], Output()) == "Why?"
        assert capsys.readouterr().err == ""  # it is not waited for once more

    @pytest.mark.parametrize("words", [["Summarize:", "-"], ["-", "Summarize:"]])
    def test_is_waited_for_when_a_dash_says_so(
        self, writing: int, monkeypatch: pytest.MonkeyPatch, words: list[str]
    ) -> None:
        write_when_read(monkeypatch, writing, b"notes")

        assert read_prompt(words, Output()) == "Summarize:\n\nnotes"

    def test_is_waited_for_when_there_are_no_words(
        self, writing: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_when_read(monkeypatch, writing, b"notes")

        assert read_prompt([], Output()) == "notes"

    def test_is_read_to_its_end_once_something_came(
        self, writing: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.write(writing, b"first ")
        write_when_read(monkeypatch, writing, b"second")

        assert read_prompt(["Summarize:"], Output()) == "Summarize:\n\nfirst second"


def write_when_read(monkeypatch: pytest.MonkeyPatch, writing: int, content: bytes) -> None:
    """Have `content` come, and then the end, only once somebody reads."""
    real = os.read
    late = [content]

    def read(handle: int, count: int) -> bytes:
        if late:
            os.write(writing, late.pop())
            os.close(writing)
        return real(handle, count)

    monkeypatch.setattr("smolctl.cli.prompt.os.read", read)


def test_a_terminal_is_not_read_beside_words(connect: Connect) -> None:
    ours, theirs = os.openpty()
    try:
        connect(theirs)
        assert read_prompt(["Why?"], Output()) == "Why?"
    finally:
        os.close(ours)


def test_a_terminal_is_told_how_to_end_the_prompt(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = os.openpty()
    try:
        os.write(ours, b"Why?\n\x04")
        connect(theirs)

        assert read_prompt(["-"], Output()) == "Why?"
    finally:
        os.close(ours)

    assert "Ctrl-D" in capsys.readouterr().err


def test_no_standard_input_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert read_prompt(["Why?"], Output()) == "Why?"


@pytest.mark.parametrize("words", [[], ["Why?"]])
@pytest.mark.parametrize("terminals", [(False, False), (True, False), (False, True), (True, True)])
def test_a_chat_needs_a_person_at_both_ends_and_no_prompt(
    monkeypatch: pytest.MonkeyPatch, words: list[str], terminals: tuple[bool, bool]
) -> None:
    for name, is_terminal in zip(("stdin", "stdout"), terminals, strict=True):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda answer=is_terminal: answer)

    assert wants_chat(words) is (not words and all(terminals))
