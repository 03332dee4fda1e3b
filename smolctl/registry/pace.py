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


_REPLACEMENTS = 3
"""Times that a part is asked for anew because it lags; after them it may take its time."""


class Connection:
    """What one thread of a transfer is receiving. `received` counts bytes, over all its parts.

    `replaced` says that the answer was broken off because it lagged.
    """

    def __init__(self) -> None:
        self.received = 0
        self.replaced = False
        self._replacements = 0
        self._stream: BlobStream | None = None
        self._since = 0.0

    @property
    def busy_since(self) -> float | None:
        """When the answer that is being received began (`time.monotonic`), if one is."""
        return self._since if self._stream is not None else None

    def take_part(self) -> None:
        """Note that another part is to be received."""
        self._replacements = 0

    def begin(self, stream: BlobStream) -> None:
        """Note that `stream` is being received from here on."""
        self.replaced = False
        self._since = time.monotonic()
        self._stream = stream

    def end(self) -> None:
        """Note that nothing is being received."""
        self._stream = None

    def replace(self) -> None:
        """Break off what is being received, so that it is asked for anew; not without end."""
        if self._replacements < _REPLACEMENTS:
            self._replacements += 1
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
        self._usual = 0

    def laggards(self, connections: Sequence[Connection]) -> list[Connection]:
        """Return the connections far below the others' median rate over the last window.

        Only those can be that were receiving all through it; nothing is known before its end.
        When the others are done, and idle, the last median that was known is what counts.
        """
        now = self._clock()
        if now - self._began < self._window:
            return []
        rates = {
            connection: connection.received - self._before.get(connection, 0)
            for connection in connections
        }
        lost = []
        for connection in connections:
            others = [
                rate
                for other, rate in rates.items()
                if other is not connection and (rate or other.busy_since is not None)
            ]
            if len(others) >= _OTHERS:
                # Of two, the lower: one fast connection makes no laggards of the others.
                self._usual = statistics.median_low(others)
            was_busy = (connection.busy_since or now) <= self._began
            if was_busy and rates[connection] < _FAR_BELOW * self._usual:
                lost.append(connection)
        self._began = now
        self._before = {connection: connection.received for connection in connections}
        return lost
