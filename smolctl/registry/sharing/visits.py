"""Who pulled what: the requests of one address for one model, put together.

A pull is many requests, over several connections. It is whole when every byte of the model's
config and layers has been sent to that address; what ends otherwise (a pull that broke off, one
that had a part already, a look at the beginning of a file) is told of once it has been quiet.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from smolctl.model.digest import Digest
    from smolctl.registry.sharing.answer import Taken
    from smolctl.registry.sharing.shared_models import Shared

QUIET_SECONDS = 10.0
"""How long nothing is asked for before what was taken is taken for all."""

_MAXIMUM_VISITS = 1024
_MAXIMUM_PIECES = 1024


@dataclass(frozen=True)
class Visit:
    """What one address took of one model: bytes of blobs sent, and the seconds it took.

    `whole` says whether that was all of it.
    """

    peer: str
    shared: Shared
    bytes: int
    seconds: float
    whole: bool


@dataclass
class OpenVisit:
    """A visit under way. Nobody's but `Visits`'."""

    shared: Shared
    sizes: Mapping[Digest, int]
    began: float
    last: float
    requests: int = 0
    sent: int = 0
    pieces: dict[Digest, list[tuple[int, int]]] = field(default_factory=dict)


class Visits:
    """The visits under way. Called from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, Digest], OpenVisit] = {}
        self._ended: list[Visit] = []

    @property
    def under_way(self) -> bool:
        """Whether some visit has not ended."""
        return bool(self._open)

    def begin(self, peer: str, taken: Taken, sizes: Mapping[Digest, int]) -> OpenVisit | None:
        """Note that an answer to `peer` begins; give what is returned to `end`.

        None for a manifest, after which no bytes are counted. `sizes` are those of the model's
        blobs.
        """
        with self._lock:
            now = self._clock()
            visit = self._visit(peer, taken, sizes, now)
            visit.last = now
            if taken.blob is None:
                return None
            visit.requests += 1
            return visit

    def end(self, peer: str, visit: OpenVisit, blob: Digest, start: int, count: int) -> bool:
        """Note that `count` bytes of `blob` from `start` on were sent; says whether it was whole.

        Then `ended` has the visit.
        """
        with self._lock:
            visit.requests -= 1
            visit.last = self._clock()
            visit.sent += count
            pieces = visit.pieces.setdefault(blob, [])
            if count > 0 and len(pieces) < _MAXIMUM_PIECES:
                visit.pieces[blob] = _joined(pieces, start, start + count)
            key = (peer, visit.shared.model.id)
            if self._open.get(key) is not visit or not _is_whole(visit):
                return False
            self._close(key, whole=True)
            return True

    def ended(self) -> list[Visit]:
        """Return the visits that have ended since this was asked last."""
        with self._lock:
            now = self._clock()
            for key, visit in list(self._open.items()):
                if not visit.requests and now - visit.last >= QUIET_SECONDS:
                    self._close(key, whole=False)
            ended, self._ended = self._ended, []
            return ended

    def _visit(self, peer: str, taken: Taken, sizes: Mapping[Digest, int], now: float) -> OpenVisit:
        """Return the visit that a request belongs to.

        A blob may be of several models: it is of the one whose manifest was asked for last.
        """
        key = (peer, taken.shared.model.id)
        if taken.blob is not None:
            theirs = [
                visit
                for (who, _), visit in self._open.items()
                if who == peer and taken.blob in visit.sizes
            ]
            if theirs:
                return theirs[-1]
        known = self._open.pop(key, None)  # and at the end again: it is the last one
        if known is None:
            if len(self._open) >= _MAXIMUM_VISITS:
                self._close(next(iter(self._open)), whole=False)
            known = OpenVisit(taken.shared, sizes, now, now)
        self._open[key] = known
        return known

    def _close(self, key: tuple[str, Digest], *, whole: bool) -> None:
        visit = self._open.pop(key)
        if visit.sent:
            seconds = visit.last - visit.began
            self._ended.append(Visit(key[0], visit.shared, visit.sent, seconds, whole))


def _is_whole(visit: OpenVisit) -> bool:
    return all(visit.pieces.get(blob) == [(0, size)] for blob, size in visit.sizes.items() if size)


def _joined(pieces: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return the pieces, in order, with one from `start` to `end` among them."""
    apart = [piece for piece in pieces if piece[1] < start or piece[0] > end]
    touching = [piece for piece in pieces if not (piece[1] < start or piece[0] > end)]
    whole = (
        min([start, *(piece[0] for piece in touching)]),
        max([end, *(piece[1] for piece in touching)]),
    )
    return sorted([*apart, whole])
