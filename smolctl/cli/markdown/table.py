"""A table in columns, as wide as the screen at most."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from smolctl.cli.markdown.spans import BOLD, DIM, Span, columns, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SAMPLE = 40
"""Rows after which the columns stay as wide as they are: what follows is shown row by row."""

_GAP = 3
_NARROWEST = 6
"""Columns of the screen below which a column of the table is no use."""

Cell = list[Span]


class Table:
    """Rows of cells, laid out when all are here, or enough of them to go by."""

    def __init__(self, across: str, alignment: Sequence[str], header: Sequence[Cell]) -> None:
        self._across = across
        self._alignment = alignment
        self._header = [[Span(text, (BOLD, *style)) for text, style in cell] for cell in header]
        self._rows: list[list[Cell]] = []
        self._widths: list[int] | None = None
        self._ruled = False
        self._begun = False

    def copy(self) -> Table:
        """Return one that goes on from here, without changing this one."""
        made = copy.copy(self)
        made._rows = list(self._rows)
        return made

    def add(self, cells: list[Cell]) -> None:
        """Take a row."""
        self._rows.append(cells)

    def rows(self, width: int, *, last: bool) -> Iterator[list[Span]]:
        """Yield the rows of the screen that are certain: all when it was the `last` row."""
        if not last and self._widths is None and len(self._rows) < _SAMPLE:
            return
        if self._widths is None:
            self._widths = self._fitted(width)
            self._ruled = any(
                columns(_text(cell)) > size or "\n" in _text(cell)
                for row in self._rows
                for cell, size in zip(row, self._widths or [width] * len(row), strict=True)
            )
        if self._widths and sum(self._widths) + _GAP * (len(self._widths) - 1) > width:
            self._widths = self._fitted(width)  # the screen has become narrower
        for row in self._rows:
            yield from self._records(row, width) if not self._widths else self._row(row)
        if last and not self._begun and self._widths:
            yield from self._head()
        self._rows = []

    def _fitted(self, width: int) -> list[int]:
        """Return how wide each column is; nothing where they do not fit side by side."""
        natural = [
            max(columns(line) for row in (self._header, *self._rows) for line in _lines(row[index]))
            for index in range(len(self._header))
        ]
        room = width - _GAP * (len(natural) - 1)
        if sum(natural) <= room:
            return [max(1, each) for each in natural]
        if room < _NARROWEST * len(natural):
            return []
        # Whoever needs no more than an equal share gets what it needs; the others share the rest.
        widths = dict.fromkeys(range(len(natural)), 0)
        left = sorted(widths, key=natural.__getitem__)
        for number, index in enumerate(left):
            widths[index] = max(1, min(natural[index], room // (len(left) - number)))
            room -= widths[index]
        return [widths[index] for index in range(len(natural))]

    def _head(self) -> Iterator[list[Span]]:
        self._begun = True
        yield from self._side_by_side(self._header)
        yield self._line()

    def _line(self) -> list[Span]:
        assert self._widths  # noqa: S101 - only with columns
        gap = " " * _GAP
        return [Span(gap.join(self._across * width for width in self._widths), (DIM,))]

    def _row(self, row: list[Cell]) -> Iterator[list[Span]]:
        if not self._begun:
            yield from self._head()
        elif self._ruled:
            yield []
        yield from self._side_by_side(row)

    def _side_by_side(self, row: Sequence[Cell]) -> Iterator[list[Span]]:
        assert self._widths  # noqa: S101 - only with columns
        cells = [wrap(cell, width) for cell, width in zip(row, self._widths, strict=True)]
        for number in range(max(map(len, cells))):
            spans: list[Span] = []
            for index, (cell, width) in enumerate(zip(cells, self._widths, strict=True)):
                line = cell[number] if number < len(cell) else []
                free = max(0, width - columns(_text(line)))
                before = {"left": 0, "right": free, "center": free // 2}[self._alignment[index]]
                spans += [Span(" " * (before + (_GAP if index else 0))), *line]
                spans.append(Span(" " * (free - before)))
            yield spans

    def _records(self, row: list[Cell], width: int) -> Iterator[list[Span]]:
        """Show a row as a list of names and values, where the screen is too narrow for columns."""
        if self._begun:
            yield []
        self._begun = True
        for name, value in zip(self._header, row, strict=True):
            if _text(value):
                yield from wrap([*name, Span(": ", (BOLD,)), *value], width)


def _text(cell: Cell) -> str:
    return "".join(span.text for span in cell)


def _lines(cell: Cell) -> list[str]:
    return _text(cell).split("\n")
