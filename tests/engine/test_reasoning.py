"""Telling `<think>…</think>` from the answer, wherever the text is cut into pieces."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolctl.engine.reasoning import ReasoningSplitter

if TYPE_CHECKING:
    from collections.abc import Iterator


def split(*pieces: str, inside: bool = False) -> Iterator[tuple[str, bool]]:
    splitter = ReasoningSplitter(inside=inside)
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.finish()


def parts(*pieces: str, inside: bool = False) -> tuple[str, str]:
    """The reasoning and the answer, each joined."""
    reasoning, answer = [], []
    for text, is_reasoning in split(*pieces, inside=inside):
        (reasoning if is_reasoning else answer).append(text)
    return "".join(reasoning), "".join(answer)


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("", "", ""),
        ("Paris.", "", "Paris."),
        ("<think>Hm.</think>Paris.", "Hm.", "Paris."),
        ("<think>\nHm.\n</think>\n\nParis.\n", "\nHm.\n", "Paris.\n"),
        ("\n <think>Hm.</think> Paris.", "Hm.", "Paris."),
        ("<think></think>Paris.", "", "Paris."),
        ("<think>Hm.", "Hm.", ""),
        ("<think>", "", ""),
        ("<think>Hm.</think>", "Hm.", ""),
        ("<think>a</thinking>b</think>c", "a</thinking>b", "c"),
        ("<think>a</think>b</think>c", "a", "b</think>c"),
        ("<think>a<think>b</think>c", "a<think>b", "c"),
        ("The tag <think> begins it.", "", "The tag <think> begins it."),
        ("<thinker>", "", "<thinker>"),
        ("<thin", "", "<thin"),
        ("  leading", "", "  leading"),
        ("<think>a</thi", "a</thi", ""),
        ("<think>a</think>\n\n", "a", ""),
    ],
)
def test_the_two_are_told_apart(text: str, reasoning: str, answer: str) -> None:
    assert parts(text) == (reasoning, answer)
    assert parts(*text) == (reasoning, answer)


TAGGED = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "/", "think>", "</", " ", "\n", "a", "Paris."])
).map("".join)


@given(TAGGED | st.text(), st.lists(st.integers(min_value=0)))
@example("<think>a</think>b", [1, 2, 9, 10])
def test_the_cuts_do_not_matter(text: str, places: list[int]) -> None:
    assert parts(*cut(text, places)) == parts(text)


@given(TAGGED | st.text())
def test_nothing_but_tags_and_blanks_is_lost(text: str) -> None:
    reasoning, answer = parts(text)

    if text.lstrip().startswith("<think>"):
        assert "".join((reasoning + answer).split()) == "".join(
            text.lstrip().removeprefix("<think>").replace("</think>", "", 1).split()
        )
    else:
        assert (reasoning, answer) == ("", text)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("Hm.</think>\nParis.", "Hm.", "Paris."),
        ("</think>Paris.", "", "Paris."),
        ("Hm.", "Hm.", ""),
        ("Hm.</thin", "Hm.</thin", ""),
        ("", "", ""),
    ],
)
def test_a_reply_may_begin_inside(text: str, reasoning: str, answer: str) -> None:
    assert parts(text, inside=True) == (reasoning, answer)
    assert parts(*text, inside=True) == (reasoning, answer)


def test_each_is_passed_on_as_it_comes() -> None:
    splitter = ReasoningSplitter()

    assert list(splitter.feed("Par")) == [("Par", False)]
    assert list(splitter.feed("is <thi")) == [("is <thi", False)]

    splitter = ReasoningSplitter()

    assert list(splitter.feed("<think>")) == []
    assert list(splitter.feed("Let me")) == [("Let me", True)]
    assert list(splitter.feed(" see.</")) == [(" see.", True)]
    assert list(splitter.feed("think>Paris")) == [("Paris", False)]


def test_no_piece_is_empty() -> None:
    assert all(text for text, _ in split("", "<think>", "", "a", "", "</think>", ""))
