"""The line editor, with keys from a pipe and no screen."""

from __future__ import annotations

import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from smolctl.cli.chat.commands import COMMANDS
from smolctl.cli.chat.completion import ChatCompleter
from smolctl.cli.chat.editor import Editor
from smolctl.cli.chat.input_history import InputHistory
from smolctl.cli.chat.line_reader import PlainReader
from smolctl.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.input import PipeInput

ENTER, ESCAPE, UP = "\r", "\x1b", "\x1b[A"
CONTROL_C, CONTROL_D, CONTROL_R, EDIT = "\x03", "\x04", "\x12", "\x18\x05"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


def editor(keys: PipeInput, history: InputHistory | None = None) -> Editor:
    return Editor(Output(), COMMANDS, history, keys=keys, screen=DummyOutput())


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (f"hello{ENTER}", "hello"),
        (f"one{ESCAPE}{ENTER}two{ENTER}", "one\ntwo"),
        (f'"""one{ENTER}two{ENTER}"""{ENTER}', '"""one\ntwo\n"""'),
        (f"\x1b[200~one\r\ntwo\n\x1b[201~{ENTER}", "one\ntwo\n"),
        (f"wrong{CONTROL_C}right{ENTER}", "right"),
        ("typed ahead\n", "typed ahead"),
    ],
    ids=["a line", "alt-enter", "a block", "pasted", "cleared", "line feed"],
)
def test_what_is_typed_is_read(keys: PipeInput, typed: str, read: str) -> None:
    keys.send_text(typed)
    assert editor(keys).read("> ") == read


def test_what_is_typed_too_early_is_the_next_message(keys: PipeInput) -> None:
    keys.send_text(f"one{ENTER}two{ENTER}")
    reader = editor(keys)
    assert [reader.read("> "), reader.read("> ")] == ["one", "two"]


@pytest.mark.parametrize(
    ("typed", "error"), [(CONTROL_C, KeyboardInterrupt), (CONTROL_D, EOFError)]
)
def test_an_empty_prompt_is_left(keys: PipeInput, typed: str, error: type[BaseException]) -> None:
    keys.send_text(typed)
    with pytest.raises(error):
        editor(keys).read("> ")


def test_earlier_chats_are_remembered(keys: PipeInput, tmp_path: Path) -> None:
    history = InputHistory(tmp_path / "history")
    keys.send_text(f"first one{ENTER}second{ENTER}")
    reader = editor(keys, history)
    reader.read("> ")
    reader.read("> ")
    later = editor(keys, history)
    keys.send_text(f"{CONTROL_R}first{ENTER}{ENTER}")
    assert later.read("> ") == "first one"
    assert history.load() == ["first one", "second", "first one"]


def test_a_message_that_failed_comes_back_without_a_file(keys: PipeInput) -> None:
    reader = editor(keys)
    keys.send_text(f"first{ENTER}")
    reader.read("> ")
    keys.send_text(f"{UP}{ENTER}")
    assert reader.read("> ") == "first"


def test_a_history_that_cannot_be_kept_is_told_of_once(
    keys: PipeInput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    reader = editor(keys, InputHistory(tmp_path / "file" / "history"))
    for _ in range(2):
        keys.send_text(f"hello{ENTER}")
        assert reader.read("> ") == "hello"
    assert capsys.readouterr().err.count("not kept for later chats") == 1


def test_the_persons_own_editor_changes_the_message(
    keys: PipeInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "edit"
    program.write_text('#!/bin/sh\nprintf "more\\nlines\\n" >> "$1"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VISUAL", str(program))
    reader = editor(keys)

    def send_when_edited(buffer: Buffer) -> None:
        if buffer.text.endswith("lines"):
            keys.send_text(ENTER)

    reader._session.default_buffer.on_text_changed += send_when_edited
    keys.send_text(f"begun {EDIT}")
    assert reader.read("> ") == "begun more\nlines"


def test_a_sigterm_ends_the_prompt_before_it_is_raised(keys: PipeInput) -> None:
    class Ended(BaseException):
        pass

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        reader = editor(keys)
        app = reader._session.app
        app.pre_run_callables.append(lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Ended):
            reader.read("> ")
        assert signal.getsignal(signal.SIGTERM) is end
        assert not app.is_running
    finally:
        signal.signal(signal.SIGTERM, before)


class TestCompletion:
    def offered(self, text: str) -> list[str]:
        document = Document(text)
        completions = ChatCompleter(COMMANDS).get_completions(document, CompleteEvent())
        return [text[: len(text) + each.start_position] + each.text for each in completions]

    def test_commands_of_that_beginning(self) -> None:
        assert self.offered("/s") == ["/system ", "/set ", "/show", "/save ", "/save! ", "/stats"]

    @pytest.mark.parametrize("text", ["hello", "hello /s", "/s\nx", "/nosuch x", "/help x"])
    def test_nothing_elsewhere(self, text: str) -> None:
        assert self.offered(text) == []

    def test_settings(self) -> None:
        assert self.offered("/set t") == [
            "/set temperature ", "/set top_k ", "/set top_p ", "/set typical_p ",
        ]  # fmt: skip
        assert self.offered("/set repeat-") == ["/set repeat_penalty "]
        assert self.offered("/set seed 1") == []

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "a file.txt").write_text("")
        (tmp_path / "folder").mkdir()
        assert self.offered(f"/file {tmp_path}/a") == [f"/file {tmp_path}/a file.txt"]
        assert len(self.offered(f"/load {tmp_path}/")) == 2

    def test_models(self, monkeypatch: pytest.MonkeyPatch) -> None:
        offered = lambda _, text: [(f"{text}:x", "")]  # noqa: E731
        monkeypatch.setattr("smolctl.cli.chat.completion.names_of", offered)
        assert self.offered("/model ai/smollm2") == ["/model ai/smollm2:x"]


class TestPlainReader:
    def test_a_block_has_several_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = iter(['"""one', 'two"""', "three"])
        monkeypatch.setattr("builtins.input", lambda *_: next(lines))
        reader = PlainReader()
        assert [reader.read("> "), reader.read("> ")] == ['"""one\ntwo"""', "three"]
