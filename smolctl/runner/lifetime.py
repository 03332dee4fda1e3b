"""How long a worker stays: until it has been idle for its keep-alive, or is told to leave."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.runner.activity import Activity

_FIRST_REQUEST_SECONDS = 15.0
"""Whoever started the worker has that long to ask for something, even with a keep-alive of 0."""


class Lifetime:
    """When a worker may leave. Used in the event loop's thread alone.

    `keep_alive` is in seconds, negative for ever. `leaving` is set when it is time.
    """

    def __init__(self, activity: Activity, keep_alive: float) -> None:
        self.keep_alive = keep_alive
        self.loaded_at = time.time()
        self.leaving = False
        self._activity = activity
        self._requests = 0
        self._used = False
        self._changed = asyncio.Event()

    @contextmanager
    def request(self, keep_alive: float | None) -> Iterator[None]:
        """Stay while the block runs, and idle for `keep_alive` from now on, if it is given."""
        self._requests += 1
        self._used = True
        if keep_alive is not None:
            self.keep_alive = keep_alive
        try:
            yield
        finally:
            self._requests -= 1
            self._changed.set()

    @property
    def busy(self) -> int:
        """How many requests are under way."""
        return max(self._requests, self._activity.busy)

    @property
    def last_used(self) -> float:
        """When the last request ended, in seconds since 1970."""
        return time.time() - self._activity.idle_for()

    def remaining(self) -> float | None:
        """Return the seconds left if nobody asks for anything; None while there is no end."""
        if self.busy or self.keep_alive < 0:
            return None
        stay = self.keep_alive if self._used else max(self.keep_alive, _FIRST_REQUEST_SECONDS)
        return max(0.0, stay - self._activity.idle_for())

    def leave(self) -> None:
        """Have `wait` return now."""
        self.leaving = True
        self._changed.set()

    async def wait(self, check_seconds: float) -> None:
        """Wait until it is time to leave, or `check_seconds` have passed."""
        end = time.monotonic() + check_seconds
        while not self.leaving:
            remaining = self.remaining()
            if remaining == 0:
                self.leaving = True
                return
            left = end - time.monotonic()
            if left <= 0:
                return
            self._changed.clear()
            try:
                timeout = left if remaining is None else min(left, remaining)
                await asyncio.wait_for(self._changed.wait(), timeout)
            except asyncio.TimeoutError:
                continue
