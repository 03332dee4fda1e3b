"""What reaches the two streams: no stranger's control characters, tables that line up."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.cli.narrow_table import beginning, fitted
from smolctl.cli.output import Output, brief, printable, printable_line, width_of
from smolctl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *BIDI, "\ud800", "\udfff"]
KEPT = "\t\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("letter", [each for each in CONTROLS if each not in KEPT], ids=ascii)
def test_control_characters_are_dropped(letter: str) -> None:
    assert printable(f"a{letter}b") == "ab"


def test_tabs_newlines_and_every_script_stay() -> None:
    text = "a\tb\nżółć 東京 עברית नमस्ते 👩‍🚀 e\u0301"

    assert printable(text) == text


@given(st.text(alphabet=st.characters(categories=None)))
def test_no_text_keeps_a_control_character(text: str) -> None:
    kept = printable(text)

    assert not set(kept) & (set(CONTROLS) - set(KEPT))
    assert printable(kept) == kept
    kept.encode()


@given(st.text(alphabet=st.characters(categories=None)))
def test_a_line_is_one_line(text: str) -> None:
    assert len(printable_line(text).splitlines()) <= 1


class TestTable:
    def test_lines_up_and_has_no_trailing_spaces(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().table(("NAME", "SIZE"), [("a", "1 MB"), ("longer", "2"), ("b", "")])

        assert capsys.readouterr().out.splitlines() == [
            "NAME     SIZE",
            "a        1 MB",
            "longer   2",
            "b",
        ]

    def test_counts_columns_and_not_letters(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().table(("N", "S"), [("東京", "x"), ("e\u0301e\u0301e\u0301", "y"), ("abcd", "z")])

        lines = capsys.readouterr().out.splitlines()
        assert lines == ["N      S", "東京   x", "e\u0301e\u0301e\u0301    y", "abcd   z"]

    def test_without_rows_is_the_header(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().table(("NAME", "SIZE"), [])

        assert capsys.readouterr().out == "NAME   SIZE\n"

    def test_keeps_a_cell_on_its_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().table(("NAME",), [("a\nDeleted: everything\x1b[A",)])

        assert capsys.readouterr().out == "NAME\na Deleted: everything[A\n"


class TestPieces:
    def test_on_a_terminal_lose_their_control_characters(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdout", stream := Terminal())

        Output().piece("a\x1b[31mb\n")

        assert stream.getvalue() == "a[31mb\n"

    def test_in_a_file_are_as_they_were(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", stream := io.StringIO())

        Output().piece("a\x1b[31mb\n")

        assert stream.getvalue() == "a\x1b[31mb\n"


class TestJson:
    @given(st.text(alphabet=st.characters(categories=None)))
    def test_is_printable_and_reads_back(self, text: str) -> None:
        stream = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            Output().json({"text": text})

        written = stream.getvalue()
        assert printable(written) == written
        assert json.loads(written) == json.loads(json.dumps({"text": text}))

    def test_leaves_letters_readable(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().json(["żółć"])

        assert "żółć" in capsys.readouterr().out


class TestErrors:
    def test_are_two_lines_at_most(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().error("it\nfailed\x1b[A", "Do\nthis.")

        captured = capsys.readouterr()
        assert captured.err == "smolctl: it failed[A\n  Do this.\n"
        assert captured.out == ""

    def test_without_a_hint_are_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        Output().error("it failed")

        assert capsys.readouterr().err == "smolctl: it failed\n"

    def test_that_nobody_can_be_told_do_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stderr", broken_stream(BrokenPipeError()))

        Output().error("it failed")
        Output().notice("by the way")


def broken_stream(error: OSError) -> io.StringIO:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            del text
            raise error

    return Broken()


def test_a_full_disk_under_stdout_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    full = broken_stream(OSError(28, "No space left on device"))
    monkeypatch.setattr(sys, "stdout", full)

    with pytest.raises(StorageError, match="cannot write the answer: No space left on device"):
        Output().line("a")


def test_a_reader_that_has_gone_is_no_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", broken_stream(BrokenPipeError()))

    with pytest.raises(BrokenPipeError):
        Output().line("a")


def test_a_path_is_printed_byte_for_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output = Output()
    output.line("before")
    output.path(Path(os.fsdecode(b"/caf\xe9/\x1b")))
    output.flush()

    assert capfdbinary.readouterr().out == b"before\n/caf\xe9/\x1b\n"


@pytest.mark.parametrize(("term", "expected"), [("xterm", True), ("dumb", False)])
def test_a_dumb_terminal_is_none_for_progress(
    monkeypatch: pytest.MonkeyPatch, term: str, expected: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", term)

    assert Output().stderr_is_terminal is expected


def test_a_note_for_an_interruption_can_be_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.on_interrupt("Go on with this.")
    output.interrupted()
    output.on_interrupt(None)
    output.interrupted()

    assert capsys.readouterr().err == "\nGo on with this.\n"


def drawn(
    monkeypatch: pytest.MonkeyPatch, stream: str, columns: int, say: Callable[[Output], None]
) -> list[str]:
    """What a person with so wide a terminal behind `stream` sees."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    monkeypatch.setenv("TERM", "xterm")
    try:
        with open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123
            with monkeypatch.context() as patched:
                patched.setattr(sys, stream, terminal)
                say(Output())
                terminal.flush()
            content = os.read(ours, 10_000)
    finally:
        os.close(ours)
    return content.decode().splitlines()


def told(monkeypatch: pytest.MonkeyPatch, columns: int, text: str) -> list[str]:
    """What a person with so wide a terminal sees of a notice."""
    return drawn(monkeypatch, "stderr", columns, lambda output: output.notice(text))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short", ["short"]),
        ("words that do not all fit", ["words that do not all", "fit"]),
        ("  indented words that do not", ["  indented words that", "  do not"]),
        ("/clear   forgets it all now", ["/clear   forgets it", "         all now"]),
        ("a-path/that-has-no-blanks in it", ["a-path/that-has-no-blanks", "in it"]),
    ],
)
def test_a_notice_breaks_between_words_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, text: str, lines: list[str]
) -> None:
    assert told(monkeypatch, 22, text) == lines
    assert told(monkeypatch, 0, text) == [text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("short", "short"),
        ("two\n\t lines", "two lines"),
        ("a\x1b[31mb", "a[31mb"),
        ("exactly 10", "exactly 10"),
        ("more than ten", "more than…"),
        ("x" * 100, "x" * 9 + "…"),
        (" " * 100 + "far", "…"),
    ],
)
def test_the_beginning_of_a_text(text: str, shown: str) -> None:
    assert brief(text, 10) == shown


MODELS = (
    ("MODEL NAME", "KIND", "MODEL ID", "SIZE"),
    [("ai/smollm2:latest", "llama", "79d8f748c36f", "1 MB"), ("ai/東京:v1", "x", "0", "2 MB")],
)


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            0,
            [
                "MODEL NAME          KIND    MODEL ID       SIZE",
                "ai/smollm2:latest   llama   79d8f748c36f   1 MB",
                "ai/東京:v1          x       0              2 MB",
            ],
        ),
        (47, ["MODEL NAME          KIND    MODEL ID       SIZE"]),
        (46, ["MODEL NAME          MODEL ID       SIZE"]),
        (38, ["MODEL NAME          SIZE", "ai/smollm2:latest   1 MB", "ai/東京:v1          2 MB"]),
        (
            23,
            ["MODEL NAME         SIZE", "…/smollm2:latest   1 MB", "ai/東京:v1         2 MB"],
        ),
        (20, ["MODEL NAME      SIZE", "ai/smo…latest   1 MB", "ai/東京:v1      2 MB"]),
    ],
)
def test_a_table_is_as_wide_as_a_terminal_at_most(
    monkeypatch: pytest.MonkeyPatch, columns: int, lines: list[str]
) -> None:
    def say(output: Output) -> None:
        output.table(*MODELS, dispensable=("KIND", "MODEL ID"))

    seen = drawn(monkeypatch, "stdout", columns, say)
    assert seen[: len(lines)] == lines


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (26, "127.0.0.1:5000/team/big:v1"),
        (25, "127.0.0.1:50…/team/big:v1"),
        (18, "127.0…/team/big:v1"),
        (13, "…/team/big:v1"),
        (12, "…/big:v1"),
    ],
)
def test_of_a_name_the_registry_is_shortened_first(columns: int, name: str) -> None:
    assert fitted([["NAME"], ["127.0.0.1:5000/team/big:v1"]], (), columns)[1] == [name]


def test_a_prompt_with_a_slash_is_shortened_in_its_middle() -> None:
    assert fitted([["PROMPT"], ["read and/or write"]], (), 13)[1] == ["read a… write"]


@given(
    st.lists(st.tuples(*[st.text(max_size=40)] * 3), min_size=1, max_size=4), st.integers(1, 150)
)
def test_a_fitted_table_fits_or_has_little_left(rows: list[tuple[str, ...]], columns: int) -> None:
    table = [("a", "b", "c"), *rows]
    made = fitted(table, ("c", "nothing", "b"), columns)

    assert len({len(row) for row in made}) == 1
    widths = [max(map(width_of, column)) for column in zip(*made, strict=True)]
    assert sum(widths) + 3 * (len(widths) - 1) <= columns or widths == [max(widths)]
    assert made[0] == list("abc"[: len(made[0])])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ten digits", "ten digits"),
        ("eleven digits", "eleven di…"),
        ("nine and more", "nine and…"),
        ("\u4e00" * 5, "\u4e00" * 5),
        ("\u4e00" * 6, "\u4e00" * 4 + "…"),
        ("", ""),
    ],
)
def test_the_beginning_of_a_text_is_what_fits_on_a_terminal(text: str, shown: str) -> None:
    assert beginning(text, 10) == shown
