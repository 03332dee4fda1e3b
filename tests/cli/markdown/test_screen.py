"""What is painted, on terminals of all sizes: nothing twice, nothing lost, nothing disturbed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cli.markdown.terminal import Answer, Terminal, rendered, rows, shown
from tests.cli.markdown.texts import cut, narrow, sizes
from tests.support.examples import examples

SCREENS = st.sampled_from([(10, 4), (11, 2), (20, 5), (33, 10), (80, 24)])
LONG = {
    "paragraph": "Some **bold** words and `code`, on and on. " * 25,
    "word": "x" * 1200,
    "code": "```python\n" + "x = 'some words'  # and more of them\n" * 60 + "```\n",
    "line": "```\n" + "one line of code " * 60 + "\n```\n",
    "table": "| a | b |\n|---|---|\n" + "| cell | a longer one |\n" * 60,
    "list": "- item with **some** text\n  1. nested\n" * 40,
    "quote": "> quoted text\n" * 60,
}


@examples(40)
@given(narrow, sizes, SCREENS)
@example("a" * 10 + "\n\n" + "b" * 10, [1], (10, 4))
@example("```\n" + "a" * 20 + "\n" + "b" * 20, [1], (10, 4))
def test_the_screen_is_what_it_should_be_at_any_time(
    text: str, sizes: list[int], screen: tuple[int, int]
) -> None:
    terminal = Terminal(*screen)
    answer = Answer(terminal)
    for piece in cut(text, sizes):
        answer.feed(piece)
        assert terminal.rows == answer.expected
    answer.finish()
    assert terminal.rows == answer.expected
    assert answer.finished == rendered(text, screen[0])
    assert not terminal.screen.cursor.hidden
    assert terminal.screen.cursor.x == 0


@pytest.mark.parametrize("what", LONG)
@pytest.mark.parametrize("screen", [(10, 4), (30, 10)])
def test_what_is_longer_than_the_screen_is_there_once(what: str, screen: tuple[int, int]) -> None:
    text = LONG[what]
    assert shown(cut(text, [11]), *screen) == rows(rendered(text, screen[0]), screen[0])


def test_each_painting_is_one_write_that_a_terminal_shows_at_once() -> None:
    terminal = Terminal()
    answer = Answer(terminal)
    for piece in cut("Some **text** that comes.\n\n- and more", [3]):
        answer.feed(piece)
    assert all(each.startswith("\x1b[?2026h") for each in terminal.drawn)
    assert all(each.endswith("\x1b[?2026l") for each in terminal.drawn)


def test_only_what_changes_is_painted() -> None:
    terminal = Terminal(20, 24)
    answer = Answer(terminal)
    answer.feed("The first row is here and the second")
    terminal.drawn.clear()
    answer.feed(" grows")
    answer.feed("\n")  # changes nothing
    (painted,) = terminal.drawn
    assert "grows" in painted
    assert "first" not in painted
    assert "second" not in painted


def test_what_is_finished_is_never_painted_again() -> None:
    terminal = Terminal(40, 10)
    answer = Answer(terminal)
    for piece in cut("```\nfirst\n" + "more\n" * 30, [4]):
        answer.feed(piece)
    answer.finish()
    assert sum(each.count("first") for each in terminal.drawn) == 1


def test_the_cursor_is_hidden_between_paintings_and_shown_at_the_end() -> None:
    terminal = Terminal()
    answer = Answer(terminal)
    answer.feed("text")
    assert terminal.screen.cursor.hidden
    answer.finish()
    assert not terminal.screen.cursor.hidden


def test_after_a_stop_what_is_not_finished_is_painted_anew() -> None:
    terminal = Terminal(12, 10)
    answer = Answer(terminal)
    answer.feed("Finished.\n\nNot finished")
    answer.leave()
    assert not terminal.screen.cursor.hidden
    terminal.draw("$ fg\r\n")
    answer.feed(" yet.")
    answer.finish()
    assert terminal.rows == ["Finished.", "", "Not finished", "$ fg", "", "Not finished", "yet."]


def test_colours_can_be_left_out() -> None:
    terminal = Terminal()
    answer = Answer(terminal, colour=False)
    answer.feed("**bold** `code`\n```py\nif x: 'y'\n```\n")
    answer.finish()
    drawn = "".join(terminal.drawn)
    assert "\x1b[1mbold\x1b[0m `code`" in drawn
    assert "\x1b[3" not in drawn


@pytest.mark.parametrize("screen", [(20, 10), (60, 10), (40, 5), (40, 20), (10, 4)])
def test_a_terminal_that_is_resized_has_all_of_it_once(screen: tuple[int, int]) -> None:
    # pyte moves no text from row to row: what was finished stays as it was painted.
    terminal = Terminal(40, 10)
    answer = Answer(terminal)
    text = "Finished.\n\nA paragraph that is being written when it "
    for piece in cut(text, [5]):
        answer.feed(piece)
    terminal.screen.resize(lines=screen[1], columns=screen[0])
    for piece in cut("happens, and goes on.\n\n- and **more**\n- to come\n", [5]):
        answer.feed(piece)
    answer.finish()
    assert " ".join(" ".join(terminal.rows).split()) == (
        "Finished. A paragraph that is being written when it happens, and goes on."
        " • and more • to come"
    )


def test_code_wider_than_the_screen_is_one_line_to_the_terminal() -> None:
    terminal = Terminal(10, 10)
    answer = Answer(terminal)
    answer.feed("```\n" + "0123456789" * 2 + "abc\n```\n")
    answer.finish()
    assert "0123456789" * 2 + "abc" in "".join(terminal.drawn).replace("\x1b[K", "")
    assert terminal.rows == ["0123456789", "0123456789", "abc"]
