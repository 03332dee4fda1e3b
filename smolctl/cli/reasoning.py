"""Telling a model's reasoning (`<think>…</think>`) from its answer while both stream."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

_OPENING = "<think>"
_CLOSING = "</think>"


def split_reasoning(pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield each piece of text with whether it is reasoning, the two tags left out.

    Only a reply that begins with `<think>` has reasoning: later the tag is text about the tag.
    A piece is held back only while it may still turn out to be part of a tag.
    """
    source = iter(pieces)
    head = ""
    for piece in source:
        head += piece
        start = head.lstrip()
        if len(start) >= len(_OPENING) or not _OPENING.startswith(start):
            break
    if not head.lstrip().startswith(_OPENING):
        yield from ((piece, False) for piece in chain([head], source) if piece)
        return
    rest = yield from _reasoning(chain([head.lstrip().removeprefix(_OPENING)], source))
    begun = False
    for piece in chain([rest], source):
        # The answer begins after the blank lines that set the reasoning off.
        text = piece if begun else piece.lstrip()
        if text:
            begun = True
            yield text, False


def _reasoning(pieces: Iterator[str]) -> Generator[tuple[str, bool], None, str]:
    """Yield the reasoning up to its closing tag, and return what stands after the tag."""
    pending = ""
    for piece in pieces:
        before, closed, after = (pending + piece).partition(_CLOSING)
        if closed:
            if before:
                yield before, True
            return after
        keep = _overlap(before)
        if len(before) > keep:
            yield before[: len(before) - keep], True
        pending = before[len(before) - keep :]
    if pending:
        yield pending, True
    return ""


def _overlap(text: str) -> int:
    """Return how many letters at the end of `text` are the beginning of the closing tag."""
    return next((n for n in range(len(_CLOSING) - 1, 0, -1) if text.endswith(_CLOSING[:n])), 0)
