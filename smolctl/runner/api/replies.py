"""The generations of one request, waited for on the event loop: no thread for each.

A request may ask for thousands. The engine has twice as many of them as it has sequences, and gets
another for each that ends: so none of its sequences waits for us, and others have their turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from smolctl.errors import EngineBusy, NotRunnable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from smolctl.engine.engine import Engine
    from smolctl.engine.generation import Generation, GenerationRequest, Piece
    from smolctl.runner.api.metrics import Metrics
    from smolctl.runner.api.threads import Threads

_PLACES = 2
"""For each of the engine's sequences."""


class Replies:
    """The replies to one request, in the order in which they were asked for.

    As a context manager it cancels, at the block's end, what is not over, and counts it all.
    Made on the event loop that waits for the replies; the `threads` are to ask the engine in.
    """

    def __init__(self, engine: Engine, metrics: Metrics, threads: Threads) -> None:
        self.generations: list[Generation] = []
        self._waiting: deque[GenerationRequest] = deque()
        self._engine = engine
        self._metrics = metrics
        self._threads = threads
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

    def begin(self, requests: Sequence[GenerationRequest]) -> None:
        """Ask the engine for a reply to each of `requests`; from any thread.

        It may take a while, for a large grammar. Raises what `Engine.submit` raises, for any of
        them; `EngineBusy` where there is no place for the first.
        """
        places = _PLACES * self._engine.state.sequences
        for request in requests[places:]:
            self._engine.check(request)
        self._waiting.extend(requests)
        self._submit(places)

    def _submit(self, places: int, *, uncounted: bool = False) -> None:
        """Ask for so many more of those that wait, as far as the engine takes them."""
        for _ in range(min(places, len(self._waiting))):
            if self._cancelled:
                break
            try:
                generation = self._engine.submit(
                    self._waiting[0], on_event=self._tell, uncounted=uncounted
                )
            except EngineBusy:
                if not self.generations:
                    raise
                break  # the others get the places of those that are there
            self._waiting.popleft()
            self.generations.append(generation)
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
            places = 0
            for number, generation in list(running.items()):
                while (piece := generation.poll()) is not None:
                    arrived.append((number, piece))
                if generation.ended:
                    del running[number]
                    places += 1
                    arrived.append((number, None))
                    if generation.finish_reason == "cancelled" and not self._cancelled:
                        raise NotRunnable("the model was unloaded while it replied")
            if places and self._waiting:
                asked = len(self.generations)
                await self._threads.run(partial(self._submit, places, uncounted=True))
                running |= dict(enumerate(self.generations[asked:], asked))
            if arrived:
                yield arrived

    def _tell(self) -> None:
        """Wake the event loop, in the engine's thread; once for all that waits to be read."""
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._arrived.set)
