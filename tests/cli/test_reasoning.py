"""Telling `<think>…</think>` from the answer, wherever the text is cut into pieces."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smolctl.cli.reasoning import split_reasoning

if TYPE_CHECKING:
    from collections.abc import Iterator


def parts(*pieces: str) -> tuple[str, str]:
    """The reasoning and the answer, each joined."""
    reasoning, answer = [], []
    for text, is_reasoning in split_reasoning(pieces):
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


def test_an_answer_is_passed_on_as_it_comes() -> None:
    taken: list[str] = []

    def pieces() -> Iterator[str]:
        for piece in ("Par", "is", "."):
            taken.append(piece)
            yield piece

    split = split_reasoning(pieces())

    assert next(split) == ("Par", False)
    assert taken == ["Par"]


def test_reasoning_is_passed_on_as_it_comes() -> None:
    split = split_reasoning(iter(["<think>", "Let me", " see"]))

    assert next(split) == ("Let me", True)


def test_empty_pieces_are_left_out() -> None:
    assert all(text for text, _ in split_reasoning(["", "<think>", "", "a", "", "</think>", ""]))
