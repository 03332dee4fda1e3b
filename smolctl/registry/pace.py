"""How fast each connection of a transfer is, and which ones lag so far behind that they are lost.

A route, a cache node or a receive window gone bad can leave one connection at a trickle that no
time-out ends, since bytes do arrive. A new connection is most often as fast as the others.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.registry.blob_stream import BlobStream

_FAR_BELOW = 0.1
"""Share of the others' median rate below which a connection counts as lost."""

_OTHERS = 2
"""How many others it takes to know what is usual."""


class Connection:
    """What one thread of a transfer is receiving. `received` counts bytes, over all its parts."""

    def __init__(self) -> None:
        self.received = 0
        self.replaced = False
        self._stream: BlobStream | None = None
        self._since = 0.0

    @property
    def busy_since(self) -> float | None:
        """When the answer that is being received began (`time.monotonic`), if one is."""
        return self._since if self._stream is not None else None

    def begin(self, stream: BlobStream) -> None:
        """Note that `stream` is being received from here on."""
        self.replaced = False
        self._since = time.monotonic()
        self._stream = stream

    def end(self) -> None:
        """Note that nothing is being received."""
        self._stream = None

    def replace(self) -> None:
        """Break off what is being received, so that it is asked for anew."""
        self.replaced = True
        self.abort()

    def abort(self) -> None:
        """Break off what is being received, if anything is."""
        stream = self._stream
        if stream is not None:
            stream.abort()


class Pace:
    """Compares the connections, once in `window` seconds."""

    def __init__(self, window: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._began = clock()
        self._before: dict[Connection, int] = {}

    def laggards(self, connections: Sequence[Connection]) -> list[Connection]:
        """Return the connections far below the others' median rate over the last window.

        Only those count that were receiving all through it; nothing is known before its end.
        """
        now = self._clock()
        if now - self._began < self._window:
            return []
        rates = {
            connection: connection.received - self._before.get(connection, 0)
            for connection in connections
            if connection.busy_since is not None
        }
        lost = [
            connection
            for connection in rates
            if (connection.busy_since or now) <= self._began
            and _is_far_below(
                rates[connection], [rates[other] for other in rates if other is not connection]
            )
        ]
        self._began = now
        self._before = {connection: connection.received for connection in connections}
        return lost


def _is_far_below(rate: int, others: Sequence[int]) -> bool:
    return len(others) >= _OTHERS and rate < _FAR_BELOW * statistics.median(others)
