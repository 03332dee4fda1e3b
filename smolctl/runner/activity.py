"""How busy a worker is: the requests under way, and since when there are none."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Activity:
    """A count of the requests under way, which any thread may change and read.

    What asks how a model is doing (its health, its metrics) does not count: it is no use of it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy = 0
        self._idle_since = time.monotonic()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count one request while the block runs."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                self._idle_since = time.monotonic()

    @property
    def busy(self) -> int:
        """How many requests are under way."""
        return self._busy

    def idle_for(self) -> float:
        """Return for how many seconds there has been no request; 0 while one is under way."""
        with self._lock:
            return 0.0 if self._busy else time.monotonic() - self._idle_since
