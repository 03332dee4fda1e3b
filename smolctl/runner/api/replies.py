"""The generations of one request, waited for on the event loop: no thread for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from smolctl.engine.engine import Engine
    from smolctl.engine.generation import Generation, GenerationRequest, Piece
    from smolctl.runner.api.metrics import Metrics


class Replies:
    """The replies to one request, in the order in which they were submitted.

    As a context manager it cancels, at the block's end, what is not over, and counts it all.
    Made on the event loop that waits for the replies.
    """

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self.generations: list[Generation] = []
        self._engine = engine
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._told = False
        self._cancelled = False

    def __enter__(self) -> Replies:
        return self

    def __exit__(self, *_: object) -> None:
        self._told = True  # the loop may be gone when the engine lets go of the last
        self.cancel()
        for generation in self.generations:
            self._metrics.count_generation(generation)

    def submit(self, requests: Iterable[GenerationRequest]) -> None:
        """Ask the engine for a reply to each of `requests`; from any thread.

        Raises what `Engine.submit` raises. It may take a while, for a large grammar.
        """
        for request in requests:
            if self._cancelled:
                return
            self.generations.append(self._engine.submit(request, on_event=self._tell))
        if self._cancelled:
            self.cancel()

    def cancel(self) -> None:
        """Have all replies end at the engine's next step."""
        self._cancelled = True
        for generation in self.generations:
            generation.cancel()

    async def arrivals(self) -> AsyncIterator[list[tuple[int, Piece | None]]]:
        """Yield what came since the last time: pieces with their reply's number, None for its end.

        What waits comes together. Raises what iterating a `Generation` raises, and `NotRunnable`
        when the engine cancelled a reply by itself.
        """
        running = dict(enumerate(self.generations))
        while running:
            await self._arrived.wait()
            self._arrived.clear()
            # Before the queues are read: what is put into one from here on is told of again.
            self._told = False
            arrived: list[tuple[int, Piece | None]] = []
            for number, generation in list(running.items()):
                while (piece := generation.poll()) is not None:
                    arrived.append((number, piece))
                if generation.ended:
                    del running[number]
                    arrived.append((number, None))
                    if generation.finish_reason == "cancelled" and not self._cancelled:
                        raise NotRunnable("the model was unloaded while it replied")
            if arrived:
                yield arrived

    def _tell(self) -> None:
        """Wake the event loop, in the engine's thread; once for all that waits to be read."""
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._arrived.set)
