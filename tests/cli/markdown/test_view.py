"""Which view an answer gets, and what it does with the two streams."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pyte
import pytest

from smolctl.cli.answer_view import PlainView, answer_view
from smolctl.cli.markdown.view import MarkdownView
from smolctl.cli.output import Output
from smolctl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_SECONDS = 20


class Stream(io.StringIO):
    """A terminal's, or one that leads elsewhere; all of them write to one place."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, screen: Screen, *, terminal: bool) -> None:
        super().__init__()
        self._screen = screen
        self._terminal = terminal
        self.text = ""

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.text += text
        if self._terminal:
            self._screen.write(text)
        return len(text)


class Screen:
    """What a person sees, and when it says something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.pyte = pyte.Screen(80, 24)  # what a terminal that does not say its size is taken for
        self._stream = pyte.Stream(self.pyte)
        self._changed = threading.Condition()

    def place(self, *, out: bool = True, err: bool = True) -> tuple[Stream, Stream]:
        """Put both streams here, or say which. (Not in a fixture: pytest puts its own there.)"""
        streams = Stream(self, terminal=out), Stream(self, terminal=err)
        self._monkeypatch.setattr(sys, "stdout", streams[0])
        self._monkeypatch.setattr(sys, "stderr", streams[1])
        return streams

    def write(self, text: str) -> None:
        with self._changed:
            # A terminal's driver ends lines so.
            self._stream.feed(text.replace("\r\n", "\n").replace("\n", "\r\n"))
            self._changed.notify()

    @property
    def rows(self) -> list[str]:
        rows = [row.rstrip() for row in self.pyte.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def await_row(self, row: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: row in self.rows, WAIT_SECONDS), self.rows


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A terminal for both streams."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen(monkeypatch)
    yield screen
    assert not screen.pyte.cursor.hidden


def test_an_answer_is_seen_as_it_comes(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    view.feed("Some **bo")
    screen.await_row("Some bo")
    view.feed("ld** text")
    screen.await_row("Some bold text")
    view.finish()
    view.finish()
    assert screen.rows == ["Some bold text"]
    assert (screen.pyte.cursor.y, screen.pyte.cursor.x) == (1, 0)


def test_the_last_state_is_shown_though_nothing_follows(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    for number in range(20):
        view.feed(f"{number} ")
    screen.await_row(" ".join(map(str, range(20))))
    view.finish()


def test_without_streaming_it_is_seen_when_it_is_whole(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output(), stream=False)
    view.feed("# Title\n")
    view.reasoning("Hm.")
    screen.await_row("Hm.")
    view.feed("- text")
    assert screen.rows == ["Hm."]
    view.finish()
    assert screen.rows == ["Hm.", "", "Title", "• text"]


def test_a_view_can_show_another_answer(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    for text in ("one", "two"):
        view.feed(text)
        view.finish()
    assert screen.rows == ["one", "two"]


def test_nothing_said_is_nothing_shown(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    view.feed("")
    view.reasoning("")
    view.finish()
    assert screen.rows == []


def test_reasoning_has_lines_of_its_own(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    for piece in ("\n", "Let me", " think.", "\n\n"):
        view.reasoning(piece)
    for piece in ("\n\nThe **ans", "wer** is"):
        view.feed(piece)
    view.reasoning("Wait.")
    view.feed("42\n")
    view.finish()
    assert screen.rows == ["Let me think.", "", "The answer is", "Wait.", "", "42"]


def test_reasoning_alone_ends_its_line(screen: Screen) -> None:
    screen.place()
    view = answer_view(Output())
    view.reasoning("Let me")
    view.finish()
    assert screen.rows == ["Let me"]
    assert (screen.pyte.cursor.y, screen.pyte.cursor.x) == (1, 0)


def test_reasoning_is_dim_on_a_terminal_alone(screen: Screen) -> None:
    _, err = screen.place()
    view = answer_view(Output(), markdown=False)
    view.reasoning("\x1b[31mHm")
    view.feed("42")
    view.reasoning("Hm")
    view.finish()
    assert err.text == "\x1b[2m[31mHm\x1b[0m\n\x1b[2mHm\x1b[0m\n"
    assert screen.rows == ["[31mHm", "42", "Hm"]

    _, err = screen.place(err=False)
    view = answer_view(Output())
    view.reasoning("Hm")
    view.feed("**42**")
    view.finish()
    assert err.text == "Hm\n"


@pytest.mark.parametrize(
    ("terminal", "term", "markdown", "kind"),
    [
        (True, "xterm-256color", True, MarkdownView),
        (True, "xterm-256color", False, PlainView),
        (True, "dumb", True, PlainView),
        (False, "xterm-256color", True, PlainView),
    ],
)
def test_the_view_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
    screen: Screen,
    terminal: bool,
    term: str,
    markdown: bool,
    kind: type,
) -> None:
    screen.place(out=terminal)
    monkeypatch.setenv("TERM", term)
    view = answer_view(Output(), markdown=markdown)
    assert type(view) is kind
    view.finish()


def test_a_pipe_gets_what_the_model_said(screen: Screen) -> None:
    out, _ = screen.place(out=False)
    view = answer_view(Output())
    for piece in ("**a** \x1b[2J", "`&#27;`  \n", "\tb"):
        view.feed(piece)
    view.finish()
    assert out.text == "**a** \x1b[2J`&#27;`  \n\tb\n"


def test_a_pipe_costs_no_imports() -> None:
    program = (
        "import sys\n"
        "from smolctl.cli.answer_view import answer_view\n"
        "from smolctl.cli.output import Output\n"
        "view = answer_view(Output()); view.feed('text'); view.finish()\n"
        "print({'markdown_it', 'pygments', 'wcwidth', 'rich', 'threading'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "text\nset()\n", done.stderr


def test_no_color_leaves_the_weight(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    out, _ = screen.place()
    monkeypatch.setenv("NO_COLOR", "1")
    view = answer_view(Output())
    view.feed("**b** `c`\n```py\nif 1: pass\n```\n")
    view.finish()
    assert "\x1b[1mb\x1b[0m `c`" in out.text
    assert "\x1b[3" not in out.text


def test_an_encoding_that_lacks_signs_gets_none(screen: Screen) -> None:
    out, _ = screen.place()
    out.encoding = "ascii"
    view = answer_view(Output())
    view.feed("- a\n- [x] b\n\n> c\n\n---\n\n|d|\n|-|\n|e|\n")
    view.finish()
    assert out.text.isascii()
    assert screen.rows == ["- a", "[x] b", "", "| c", "", "-" * 40, "", "d", "-", "e"]


class Full(Output):
    """A terminal that has gone away."""

    def draw(self, text: str) -> None:
        del text
        raise StorageError("cannot write the answer")


def test_what_fails_in_the_painting_is_raised_to_the_caller(screen: Screen) -> None:
    screen.place()
    view = answer_view(Full())
    view.feed("text")
    with pytest.raises(StorageError):
        view.finish()
    assert screen.rows == []
