"""The part of a terminal's screen that is still being written, painted in place."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from smolctl.cli.markdown.spans import Span, columns, fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.cli.markdown.spans import Line
    from smolctl.cli.output import Output

_BEGIN = "\x1b[?2026h"
_END = "\x1b[?2026l"
"""Between them a terminal that knows them (synchronized output) shows nothing half done."""

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_ERASE_RIGHT, _ERASE_BELOW = "\x1b[K", "\x1b[J"
_UP = "\x1b[{}A"


class _Row(NamedTuple):
    text: str
    full: bool
    """Whether it goes to the screen's edge, where there is nothing to erase."""

    goes_on: bool
    """Whether the terminal itself goes on with it in the next row."""


class Screen:
    """Writes what is finished, and below it what is not, which the next painting replaces.

    Between two paintings the cursor is hidden, at the beginning of what is not finished. So a
    terminal that is resized, and moves text from row to row as it sees fit, takes the place along,
    and what is above it is never touched.
    """

    def __init__(self, output: Output, *, colour: bool) -> None:
        self._output = output
        self._colour = colour
        self._rows: list[_Row] = []
        """The rows below the cursor."""

        self._size = (0, 0)
        self._hidden = False

    @staticmethod
    def size() -> tuple[int, int]:
        """Return how many columns and lines there are now."""
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except (OSError, ValueError):
            columns, lines = 0, 0
        return columns or 80, lines or 24  # some terminals do not know

    def paint(self, finished: Sequence[Line], tail: Sequence[Line], size: tuple[int, int]) -> None:
        """Write the `finished` lines for good, and as much of the `tail`'s end as there is room."""
        width, height = size
        before = self._rows if size == self._size else []
        erase = bool(self._rows) and size != self._size
        done = [row for line in finished for row in self._encoded(line, width)]
        # One row stays free: the line's end after the last one would scroll the first away.
        kept = _last_rows(tail, width, max(1, height - 1))
        rows = [row for line in kept for row in self._encoded(line, width)][-max(1, height - 1) :]
        self._size, self._rows = size, rows
        painted = _painted(before, [*done, *rows], len(done), erase=erase)
        if painted:
            hide = "" if self._hidden else _HIDE
            self._hidden = True
            self._output.draw(f"{_BEGIN}{hide}{painted}{_END}")

    def close(self) -> None:
        """Show the cursor again. What is not finished must have been finished by then."""
        if self._hidden:
            self._hidden = False
            self._output.draw(_SHOW)

    def leave(self) -> None:
        """Leave what is not finished as it is, with the cursor below it; it is painted anew."""
        below = "\r\n" * len(self._rows)
        self._rows = []
        if self._hidden:
            self._hidden = False
            self._output.draw(below + _SHOW)

    def _encoded(self, line: Line, width: int) -> Iterator[_Row]:
        rows = _chopped(line, width) if line.whole else [line.spans]
        for number, spans in enumerate(rows, 1):
            text = "".join(map(self._coded, spans))
            full = columns("".join(span.text for span in spans)) >= width
            yield _Row(text, full, number < len(rows))

    def _coded(self, span: Span) -> str:
        codes = [code for code in span.style if code < 30 or self._colour]
        return f"\x1b[{';'.join(map(str, codes))}m{span.text}\x1b[0m" if codes else span.text


def _painted(before: Sequence[_Row], rows: Sequence[_Row], done: int, *, erase: bool) -> str:
    """Return what makes `before` into `rows`, and leaves the cursor below the `done` ones."""
    parts = ["\r" + _ERASE_BELOW] if erase else []
    changed = _changed(before, rows)
    fewer = len(before) > len(rows)
    if not (any(changed) or fewer or done):
        return "".join(parts)
    last = max((index for index, each in enumerate(changed) if each), default=0)
    stop = len(rows) if fewer else max(last, done)
    for index, row in enumerate(rows[: stop + 1]):
        if changed[index]:
            parts.append(row.text)
            if index < len(before) and not row.full:
                parts.append(_ERASE_RIGHT)
        if index < stop and not (changed[index] and row.goes_on):
            parts.append("\r\n")
    if fewer:
        parts.append(_ERASE_BELOW)
    parts.append("\r")
    if stop > done:
        parts.append(_UP.format(stop - done))
    return "".join(parts)


def _changed(before: Sequence[_Row], rows: Sequence[_Row]) -> list[bool]:
    """Return which rows must be written: of a line that the terminal wraps, all or none."""
    changed = [index >= len(before) or before[index] != row for index, row in enumerate(rows)]
    pairs = range(1, len(rows))
    for index in (*reversed(pairs), *pairs):
        if rows[index - 1].goes_on and (changed[index - 1] or changed[index]):
            changed[index - 1] = changed[index] = True
    return changed


def _last_rows(lines: Sequence[Line], width: int, most: int) -> Sequence[Line]:
    """Return the last lines that fill `most` rows: the others cannot be seen."""
    first = len(lines)
    rows = 0
    while first and rows < most:
        first -= 1
        line = lines[first]
        rows += -(-columns(line.text) // width) or 1 if line.whole else 1
    return lines[first:]


def _chopped(line: Line, width: int) -> list[tuple[Span, ...]]:
    """Return a line in rows, broken where the terminal does."""
    rows: list[tuple[Span, ...]] = []
    row: list[Span] = []
    free = width
    for text, style in line.spans:
        while text:
            size = columns(text)
            if size <= free:
                row.append(Span(text, style))
                free -= size
                break
            cut = fit(text, free) if free else 0
            if columns(text[:cut]) > free and row:  # a wide letter at the edge
                cut = 0
            if cut:
                row.append(Span(text[:cut], style))
            rows.append(tuple(row))
            row, free, text = [], width, text[cut:]
    rows.append(tuple(row))
    return rows
