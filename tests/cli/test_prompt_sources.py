"""Prompts from words, files and standard input: their order, and what cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import prompt
from smolctl.cli.output import Output
from smolctl.cli.prompt_sources import Asked, PromptSources, text_or_file
from smolctl.cli.text_file import read_text_file
from smolctl.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = Path("-")


@pytest.fixture(autouse=True)
def stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that is standard input; empty at first."""
    monkeypatch.setattr(prompt, "_read", [])
    path = tmp_path / "stdin"
    path.touch()
    with path.open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        yield path


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_text("notes\n")
    return path


def read(*words: str, prompt_file: Path | None = None, files: tuple[Path, ...] = ()) -> Asked:
    return PromptSources(words, prompt_file, files).read(Output())


def test_the_order_is_words_prompt_file_files_standard_input(
    tmp_path: Path, notes: Path, stdin: Path
) -> None:
    asking = tmp_path / "asking"
    asking.write_text("in French")
    stdin.write_text("piped\n")
    asked = read("Sum", "up", prompt_file=asking, files=(notes,))
    assert asked == Asked("Sum up\n\nin French", "notes\n\npiped")
    assert asked.prompt("As JSON.") == "Sum up\n\nin French\n\nAs JSON.\n\nnotes\n\npiped"


@pytest.mark.parametrize("with_file", [False, True])
def test_words_that_are_no_text_are_a_mistake(with_file: bool, notes: Path) -> None:
    with pytest.raises(UsageError, match="the prompt is no text in UTF-8"):
        read(os.fsdecode(b"caf\xe9"), files=(notes,) if with_file else ())
    with pytest.raises(UsageError, match="no text in UTF-8"):
        text_or_file(os.fsdecode(b"caf\xe9"))


def test_words_are_the_instruction_and_standard_input_the_text(stdin: Path) -> None:
    stdin.write_text("piped\n")
    assert read("Sum", "up:") == Asked("Sum up:", "piped")
    assert read("-") == Asked("", "piped")


def test_several_files_are_named_and_one_is_not(notes: Path, stdin: Path) -> None:
    stdin.write_text("piped")
    assert read(files=(notes,), prompt_file=None).text == "notes\n\npiped"
    both = read(files=(notes, STDIN)).text
    assert both == f"File: {notes}\n\nnotes\n\nFile: standard input\n\npiped"


def test_a_prompt_file_may_be_standard_input(stdin: Path, notes: Path) -> None:
    stdin.write_text("Sum up")
    assert read(prompt_file=STDIN, files=(notes,)) == Asked("Sum up", "notes")


@pytest.mark.parametrize(
    ("words", "prompt_file", "files"),
    [
        (("-", "-"), None, ()),
        (("-",), STDIN, ()),
        (("-",), None, (STDIN,)),
        ((), STDIN, (STDIN,)),
        ((), None, (STDIN, STDIN)),
    ],
)
def test_standard_input_is_named_once(
    words: tuple[str, ...], prompt_file: Path | None, files: tuple[Path, ...]
) -> None:
    with pytest.raises(UsageError, match="named twice"):
        PromptSources(words, prompt_file, files)


def test_a_named_pipe_is_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    try:
        assert read("Sum up", files=(Path(f"/dev/fd/{reading}"),)).text == "piped"
    finally:
        os.close(reading)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9", b"a\0b"])
def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"image\.png is no text"):
        read("What is this?", files=(path,))


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\xef\xbb\xbfnotes")
    assert read(files=(path,)).text == "notes"


def test_a_file_that_is_not_there_and_a_folder_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read(files=(tmp_path / "none",))
    with pytest.raises(UsageError, match="folder"):
        read(prompt_file=tmp_path)


def test_a_file_that_may_not_be_read_is_the_storage_that_fails(
    notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("smolctl.cli.text_file.os.open", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        read(files=(notes,))


def test_a_device_that_never_ends_is_not_read_for_ever() -> None:
    with pytest.raises(UsageError, match=r"more than 3\.00 MB"):
        read_text_file("/dev/zero", 3_000_000)


def test_files_with_nothing_in_them_are_no_prompt(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_text("\n")
    with pytest.raises(UsageError, match="the prompt is empty"):
        read(files=(path, path))


def test_a_system_prompt_may_be_in_a_file(notes: Path) -> None:
    assert text_or_file(f"@{notes}") == "notes"
    assert text_or_file("@@home") == "@home"
    assert text_or_file("a@b") == "a@b"
    assert text_or_file(None) is None
    with pytest.raises(UsageError):
        text_or_file("@")
