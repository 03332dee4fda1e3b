"""The first fenced code block of an answer, however the answer is cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.cli.code_block import FirstCodeBlock

ANSWER = "Sure:\n\n```python\nprint(1)\n\n  # a\n```\n\n```sh\nls\n```\n"


def code(*pieces: str) -> str:
    block = FirstCodeBlock()
    return "".join(block.feed(piece) for piece in pieces) + block.finish()


@given(st.lists(st.integers(0, len(ANSWER)), max_size=8))
def test_the_pieces_do_not_matter(places: list[int]) -> None:
    bounds = [0, *sorted(places), len(ANSWER)]
    pieces = [ANSWER[start:end] for start, end in itertools.pairwise(bounds)]
    assert code(*pieces) == "print(1)\n\n  # a\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("```\na\n```", "a\n"),
        ("~~~ruby\na\n```\nb\n~~~\nc", "a\n```\nb\n"),
        ("`````\n```\na\n```\n`````", "```\na\n```\n"),
        ("```\na\n`````\nb", "a\n"),
        ("1. So:\n   ```js\n   a\n     b\n\n   ```", "a\n  b\n\n"),
        ("\t```\n\ta\n b\n```", "a\nb\n"),
        ("```\na\n``` b\n```", "a\n``` b\n"),
        ("``` a`b\nno\n```\nyes\n```", "yes\n"),
        ("```\r\na\r\n```\r\n", "a\n"),
        ("```\na", "a\n"),
        ("```\n```\nb", ""),
        ("``\na\n``", ""),
        ("inline ```a``` only", ""),
        ("", ""),
    ],
)
def test_fences_are_those_that_models_write(answer: str, expected: str) -> None:
    assert code(answer) == expected


def test_it_says_whether_the_block_is_there_and_whole() -> None:
    block = FirstCodeBlock()
    assert (block.found, block.closed) == (False, False)
    block.feed("```\na\n")
    assert (block.found, block.closed) == (True, False)
    block.feed("```")
    assert not block.closed  # it may go on with other letters
    block.finish()
    assert block.closed
