"""Which bytes of a file are there: a set of ranges that never overlap or touch."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Extent(NamedTuple):
    """The bytes from offset `start` up to, not including, offset `end`."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes that is."""
        return self.end - self.start


class Extents:
    """A set of byte offsets, kept as sorted ranges; adding what is there already is no error."""

    def __init__(self, extents: Iterable[Extent] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for extent in extents:
            self.add(extent)

    def __iter__(self) -> Iterator[Extent]:
        return iter([Extent(*pair) for pair in zip(self._starts, self._ends, strict=True)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Extents) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Extents({list(self)})"

    def add(self, extent: Extent) -> None:
        """Add a range, joining those that it overlaps or touches."""
        start, end = extent
        if start >= end:
            return
        first = bisect.bisect_left(self._ends, start)
        last = bisect.bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    @property
    def total(self) -> int:
        """How many bytes there are in all."""
        return sum(self._ends) - sum(self._starts)

    @property
    def prefix(self) -> int:
        """How many bytes are there from offset 0 on without a gap."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    def gaps(self, within: Extent) -> list[Extent]:
        """Return the ranges of `within` that are not there, in order."""
        position = within.start
        found = []
        first = bisect.bisect_right(self._ends, within.start)
        for start, end in zip(self._starts[first:], self._ends[first:], strict=True):
            if start >= within.end:
                break
            if start > position:
                found.append(Extent(position, start))
            position = end
        if position < within.end:
            found.append(Extent(position, within.end))
        return found
