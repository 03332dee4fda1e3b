"""A table on a terminal that is too narrow for it: what it can do without goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.cli.output import GAP, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORTEST = 12
"""Columns of the screen that a shortened cell has at least: an ID's length."""


def fitted(
    rows: Sequence[Sequence[str]],
    dispensable: Sequence[str],
    columns: int,
    *,
    mark: str = "…",
) -> list[list[str]]:
    """Return `rows`, the headers first, so that they fit in `columns` of the screen, if they can.

    Columns are left out in the order of `dispensable`, which names them by their headers. Where
    that is not enough the widest is shortened, in the middle of its cells. Of a model's name, the
    end of its registry goes first, and its tag last. `mark` stands for what is missing.
    """
    table = [list(row) for row in rows]
    for header in dispensable:
        if _width(table) <= columns:
            return table
        if header in table[0]:
            index = table[0].index(header)
            for row in table:
                del row[index]
    excess = _width(table) - columns
    if excess > 0:
        widths = _widths(table)
        widest = widths.index(max(widths))
        room = max(_SHORTEST, widths[widest] - excess)
        for row in table:
            row[widest] = _shortened(row[widest], room, mark)
    return table


def beginning(text: str, columns: int, *, mark: str = "…") -> str:
    """Return `text`, or as much of its beginning as fits in `columns` of the screen."""
    if width_of(text) <= columns:
        return text
    while text and width_of(text) > columns - len(mark):
        text = text[:-1]
    return f"{text.rstrip()}{mark}"


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(width_of, column)) for column in zip(*table, strict=True)]


def _width(table: Sequence[Sequence[str]]) -> int:
    widths = _widths(table)
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _shortened(text: str, room: int, mark: str) -> str:
    if width_of(text) <= room:
        return text
    registry, slash, path = text.partition("/")
    if slash and " " not in text:  # in a prompt, a slash parts nothing
        left = room - width_of(f"/{path}")
        if left >= len(mark):
            return f"{beginning(registry, left, mark=mark)}/{path}"
        if "/" in path:
            return _shortened(f"{mark}/{path.partition('/')[2]}", room, mark)
    half = (room - len(mark)) // 2
    begin, end = text, text
    while width_of(begin) > room - len(mark) - half:
        begin = begin[:-1]
    while width_of(end) > half:
        end = end[1:]
    return f"{begin}{mark}{end}"
