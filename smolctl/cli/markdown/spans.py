"""Text with a style, and how it is fitted to a width in columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from wcwidth import wcwidth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Style = tuple[int, ...]

BOLD, DIM, ITALIC, UNDERLINE, STRIKE = 1, 2, 3, 4, 9
RED, GREEN, MAGENTA, CYAN = 31, 32, 35, 36
"""The four of the eight colours that can be read on white and on black."""

_WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f"
    "\uff00-\uff60\uffe0-\uffe6\U00020000-\U0003fffd"
)
_OPENING = "\uff08\u300c\u300e\u3010\u300a"
_CLOSING = "\u3001\u3002\uff0c\uff0e\uff1a\uff1b\uff1f\uff01\uff09\u300d\u300f\u3011\u300b"

# A row may end after any wide letter, but what opens or closes a phrase stays with it.
_WORDS = re.compile(rf"[ \t]+|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*|[^ \t{_WIDE}]+")

_COMBINED = 20
"""Letters that stand in one column, at most."""


class Span(NamedTuple):
    """A stretch of text in one style: numbers of ECMA-48's "select graphic rendition"."""

    text: str
    style: Style = ()


@dataclass(frozen=True)
class Line:
    """A line to show. One that is `whole` may be wider than the screen: the terminal wraps it.

    What the terminal wraps it copies as one line, which is right for code.
    """

    spans: tuple[Span, ...] = ()
    whole: bool = False

    @property
    def text(self) -> str:
        """What is in it, without its styles."""
        return "".join(span.text for span in self.spans)


@lru_cache(maxsize=4096)
def _columns(letter: str) -> int:
    return max(0, wcwidth(letter))


def columns(text: str) -> int:
    """Return how many columns `text` takes.

    Each code point counts for itself. Of terminals that join some into one sign (flags, families)
    and those that do not, the latter need the more room, and it is theirs that is counted.
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def fit(text: str, width: int) -> int:
    """Return how many letters of `text` go into `width` columns: one at least."""
    if text.isascii():
        return max(1, min(len(text), width))
    used = 0
    for index, letter in enumerate(text):
        used += _columns(letter)
        if used > width and index:
            return index
    return len(text)


def wrap(spans: Sequence[Span], width: int) -> list[list[Span]]:
    """Break `spans` into rows of at most `width` columns, between words where there are any.

    A newline ends a row. No row ends in a blank. There is one row at least.
    """
    text = "".join(span.text for span in spans)
    cuts = Cutter(spans)
    rows = []
    start = 0
    for line in text.split("\n"):
        for begin, end in _rows(line, max(1, width)):
            rows.append(cuts.take(start + begin, start + end))
        start += len(line) + 1
    return rows


def _rows(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Yield where the rows of `text` begin and end."""
    begin = end = used = 0
    for match in _WORDS.finditer(text):
        word = match[0]
        if word[0] in " \t":
            used += len(word)
            continue
        size = columns(word)
        if used + size > width and end > begin:
            yield begin, end
            begin, used = match.start(), 0
        elif begin == end:
            begin, used = match.start(), 0  # no row begins with a blank
        start = match.start()
        while used + size > width:
            cut = start + fit(text[start : min(match.end(), start + _COMBINED * width)], width)
            if cut >= match.end():
                break
            size -= columns(text[start:cut])
            yield begin, cut
            begin = start = cut
            used = 0
        used += size
        end = match.end()
    yield begin, end


class Cutter:
    """Takes stretches out of a text made of spans, in order."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = iter(spans)
        self._span: Span | None = next(self._spans, None)
        self._at = 0

    def take(self, begin: int, end: int) -> list[Span]:
        """Return the spans of the letters from `begin` up to `end`; never goes back."""
        taken = []
        while self._span is not None and self._at < end:
            text, style = self._span
            after = self._at + len(text)
            piece = text[max(0, begin - self._at) : end - self._at]
            if piece:
                taken.append(Span(piece, style))
            if after > end:
                break
            self._at = after
            self._span = next(self._spans, None)
        return taken


def stripped(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return `spans` without the blanks at the end: a selection with the mouse would have them."""
    kept = [span for span in spans if span.text]
    while kept:
        text, style = kept[-1]
        if bare := text.rstrip():
            kept[-1] = Span(bare, style)
            break
        kept.pop()
    return tuple(kept)


def join(spans: Iterable[Span]) -> list[Span]:
    """Return `spans` with those of one style that follow each other made one."""
    joined: list[Span] = []
    for text, style in spans:
        if joined and joined[-1].style == style:
            joined[-1] = Span(joined[-1].text + text, style)
        elif text:
            joined.append(Span(text, style))
    return joined
