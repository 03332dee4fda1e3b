"""From the bytes of tokens to text that can be shown: whole letters, and no stop string."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReplyText:
    """The text of one reply. What may still become a letter or a stop string is held back."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._stops = tuple(stops)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """Return the text that is certain after `piece`; `stopped` says when a stop string came.

        Nothing of the stop string, nor anything after it, is ever returned.
        """
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """Return what was held back, when no more is to come.

        Bytes that are no UTF-8 come out as U+FFFD.
        """
        rest = self._release(self._decoder.decode(b"", final=True))
        if self.stopped:
            return rest
        rest, self._pending = rest + self._pending, ""
        return rest

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        pending = self._pending + text
        found = [place for place in (pending.find(stop) for stop in self._stops) if place >= 0]
        if found:
            self.stopped = True
            self._pending = ""
            return pending[: min(found)]
        keep = max((overlap(pending, stop) for stop in self._stops), default=0)
        self._pending = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]


def overlap(text: str, stop: str) -> int:
    """Return how many letters at the end of `text` are the beginning of `stop`, but not all."""
    longest = min(len(stop) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
