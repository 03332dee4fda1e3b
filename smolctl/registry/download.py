"""One blob on its way: its parts, which of them are being fetched, and from which source.

A large blob is fetched in parts, each by whoever is free, from the beginning on so that its hash
can follow. Where the registry does not serve ranges, the blob is one part: the whole, from its
first byte, of which only what is missing is written.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.store.extents import Extent

if TYPE_CHECKING:
    from smolctl.model.descriptor import Descriptor
    from smolctl.store.partial import PartialBlob


_KNOWN_SECONDS = 0.5
"""How long an answer must arrive before its pace says anything."""

_SLOW_SECONDS = 1.0
_SHARED = 256 * 1024
"""Bytes that must be left of a part for two to share them."""


@dataclass(eq=False)
class Part:
    """The bytes of a blob that one connection fetches: from `position` up to `end`.

    `source` is the number of the source that it is asked of; `gained` counts the bytes that were
    new, over all attempts.
    """

    download: Download
    position: int
    end: int
    source: int
    gained: int = 0
    _answered: float | None = None
    _gained_before: int = 0
    _start: int = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.position

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the blob, which can be asked for without a range."""
        return (self._start, self.end) == (0, self.download.blob.size)

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return self.end - self.position

    def began(self) -> None:
        """Note that an answer begins to arrive now."""
        self._answered = time.monotonic()
        self._gained_before = self.gained

    @property
    def seconds_left(self) -> float:
        """How long it will take at its pace so far; 0 while that is not known."""
        if self._answered is None:
            return 0.0
        seconds = time.monotonic() - self._answered
        gained = self.gained - self._gained_before
        if seconds < _KNOWN_SECONDS:
            return 0.0
        return seconds * self.left / gained if gained else math.inf


class Download:
    """The unfinished `blob`; not safe for threads by itself, whoever owns it holds a lock."""

    def __init__(self, partial: PartialBlob, part_size: int) -> None:
        self.partial = partial
        self.source = 0
        self.active: list[Part] = []
        self.serves_ranges = True
        self.is_mixed = False
        """Whether some bytes are from another source than the one that is asked now."""
        self._part_size = part_size
        self._pending: list[Extent] = []
        self.begin_anew()

    @property
    def blob(self) -> Descriptor:
        """What is being fetched."""
        return self.partial.blob

    @property
    def is_fetched(self) -> bool:
        """Whether every byte is here and nobody is writing any more."""
        return not self.active and self.partial.is_whole

    def begin_anew(self) -> None:
        """Plan to fetch what is missing, in parts."""
        self.is_mixed = False
        # Kept backwards, because parts are taken off its end.
        self._pending = self.partial.gaps()[::-1]

    def next_source(self) -> None:
        """Have the parts from here on asked of the next source."""
        self.source += 1
        self.serves_ranges = True
        self.is_mixed = self.partial.written > 0 or len(self.active) > 1

    def next_part(self) -> Part | None:
        """Return the next part to be fetched, now active; None when there is none to give."""
        if not self._pending:
            return None
        if not self.serves_ranges:
            if self.active:
                return None
            self._pending.clear()
            return self._started(Extent(0, self.blob.size))
        gap = self._pending.pop()
        part = Extent(gap.start, min(gap.end, gap.start + self._part_size))
        if part.end < gap.end:
            self._pending.append(Extent(part.end, gap.end))
        return self._started(part)

    def half_of_a_slow_part(self) -> Part | None:
        """Return the later half of a part that will take long, now a part of its own; or None.

        For a connection that has nothing else to do. It is not worth it for a fast one: what its
        registry has sent already is lost when its end moves.
        """
        if not self.active or not self.serves_ranges:
            return None
        slowest = max(self.active, key=lambda part: part.seconds_left)
        if slowest.seconds_left < _SLOW_SECONDS or slowest.left < _SHARED:
            return None
        end = slowest.end
        slowest.end = slowest.position + slowest.left // 2
        return self._started(Extent(slowest.end, end))

    def ended(self, part: Part) -> None:
        """Take `part` back; what it has not fetched is pending again."""
        self.active.remove(part)
        if part.left > 0:
            self._pending.append(Extent(part.position, part.end))

    def _started(self, extent: Extent) -> Part:
        part = Part(self, extent.start, extent.end, self.source)
        self.active.append(part)
        return part
