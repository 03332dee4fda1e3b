"""Threads for what blocks in a request, so that the event loop serves others meanwhile."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from smolctl.errors import EngineBusy

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")


class Threads:
    """So many threads, called `name`, and `queue` calls that may wait for one (None: any number).

    Used on the event loop. (anyio's way, which Starlette takes, imports for 30 ms when the first
    request comes.)
    """

    def __init__(self, name: str, count: int, queue: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(count, name)
        self._most = None if queue is None else count + queue
        self._calls = 0

    async def run(self, call: Callable[[], _Found]) -> _Found:
        """Return what `call` does. Raises `EngineBusy` when too many wait already."""
        if self._calls == self._most:
            raise EngineBusy(
                f"{self._calls} requests wait for the model already", hint="Try again later."
            )
        self._calls += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call)
        finally:
            self._calls -= 1
