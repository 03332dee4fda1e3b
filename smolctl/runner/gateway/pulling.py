"""A pull that a client of the gateway watches: a line of JSON for each thing that happens.

The lines are those of Docker Model Runner's `POST /models/create`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.errors import Interrupted, SmolctlError
from smolctl.model.units import format_size
from smolctl.runner.fields import sentence
from smolctl.runner.gateway.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.model.reference import Reference
    from smolctl.registry.access import RegistryAccess
    from smolctl.registry.pull import Pull
    from smolctl.store.store import Store

Event = dict[str, Any]


@dataclass(frozen=True)
class Puller:
    """Pulls into `store`, by the way that `smolctl model pull` takes."""

    store: Store
    registries: RegistryAccess

    async def events(self, reference: Reference) -> AsyncIterator[Event]:
        """Pull `reference`, and give what happens as it does, the outcome last.

        Raises `SmolctlError` when it fails before anything happened; later the last event says
        that it did. When nobody takes the events any more the pull ends, and what was fetched is
        kept.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        progress = _EventProgress(lambda event: loop.call_soon_threadsafe(queue.put_nowait, event))
        work = asyncio.create_task(
            in_thread(
                lambda: self.registries.pull(self.store, reference, progress),
                name=f"pull {reference}",
            )
        )
        work.add_done_callback(lambda _: queue.put_nowait(None))
        begun = False
        try:
            while (event := await queue.get()) is not None:
                begun = True
                yield event
            try:
                pulled = work.result()
            except SmolctlError as error:
                if not begun:
                    raise
                yield _event("error", sentence(error))
            else:
                yield _event("success", self._outcome(pulled))
        finally:
            progress.stop()
            work.cancel()

    def _outcome(self, pulled: Pull) -> str:
        name = self.store.familiar(pulled.reference)
        state = "Pulled" if pulled.changed else "Already here:"
        return f"{state} {name} (ID {pulled.model.id.short})"


class _EventProgress:
    """A progress that `send`s events, from the pull's thread, until it is stopped."""

    def __init__(self, send: Callable[[Event], object]) -> None:
        self._send = send
        self._stopped = threading.Event()
        self._total = 0
        self._present: dict[Digest, int] = {}

    def stop(self) -> None:
        """End the pull when it next has something to tell, a tenth of a second from now or so."""
        self._stopped.set()

    def expect(self, size: int) -> None:
        """Note the model's size; each event of a layer has it."""
        self._check()
        self._total = size

    def begin(self, blob: Descriptor, present: int) -> None:
        """Tell how much of `blob` is here."""
        self._tell(blob, present)

    def update(self, blob: Descriptor, present: int) -> None:
        """Tell how much of `blob` is here, when it is more than before."""
        self._check()
        if self._present.get(blob.digest) != present:
            self._tell(blob, present)

    def end(self, blob: Descriptor) -> None:
        """Tell that all of `blob` is here."""
        self._tell(blob, blob.size)

    def notice(self, text: str) -> None:
        """Tell it as a warning."""
        self._check()
        self._send(_event("warning", text))

    def _tell(self, blob: Descriptor, present: int) -> None:
        self._check()
        self._present[blob.digest] = present
        came = format_size(sum(self._present.values()))
        layer = {"id": str(blob.digest), "size": blob.size, "current": present}
        self._send(_event("progress", f"Downloaded: {came}", total=self._total, layer=layer))

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Interrupted("whoever asked for the pull hung up")


def as_line(event: Event) -> bytes:
    """Return `event` as a line of the answer."""
    return json.dumps(event).encode() + b"\n"


def _event(kind: str, message: str, **more: Any) -> Event:
    return {"type": kind, "message": message, **more, "mode": "pull"}
