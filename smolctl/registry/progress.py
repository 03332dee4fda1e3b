"""What a pull tells of itself while it runs."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.model.descriptor import Descriptor

_REPEATED_SECONDS = 5.0
"""How long a notice is not repeated: all connections fail at once when the network does."""


class Progress(Protocol):
    """Hears of each layer, from one thread. Sizes are in bytes."""

    def expect(self, size: int) -> None:
        """All blobs together have `size` bytes; those that are here already are not told of."""

    def begin(self, blob: Descriptor, present: int) -> None:
        """`blob` is being fetched; `present` bytes of it were here from an earlier try."""

    def update(self, blob: Descriptor, present: int) -> None:
        """`present` bytes of `blob` are here now, not yet checked."""

    def end(self, blob: Descriptor) -> None:
        """`blob` is here, checked."""

    def notice(self, text: str) -> None:
        """Something happened that a person wants to know: a wait, a retry."""


class NoProgress:
    """A `Progress` that keeps quiet."""

    def expect(self, size: int) -> None:
        """Say nothing."""

    def begin(self, blob: Descriptor, present: int) -> None:
        """Say nothing."""

    def update(self, blob: Descriptor, present: int) -> None:
        """Say nothing."""

    def end(self, blob: Descriptor) -> None:
        """Say nothing."""

    def notice(self, text: str) -> None:
        """Say nothing."""


class NoticesAlone(NoProgress):
    """Passes the notices of one blob on to `progress`, and nothing of its bytes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def notice(self, text: str) -> None:
        """Pass it on."""
        self._progress.notice(text)


class Announcements:
    """What threads have to say to `progress`, until the one that may speak to it takes it.

    Not safe for threads by itself: whoever owns it holds a lock.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._waiting: list[Callable[[], None]] = []
        self._noticed: dict[str, float] = {}

    def begin(self, blob: Descriptor, present: int) -> None:
        """Have it told that `blob` is being fetched."""
        self._waiting.append(partial(self._progress.begin, blob, present))

    def end(self, blob: Descriptor) -> None:
        """Have it told that `blob` is here."""
        self._waiting.append(partial(self._progress.end, blob))

    def notice(self, text: str) -> None:
        """Have it told `text`, unless it was just now."""
        now = time.monotonic()
        if now - self._noticed.get(text, -_REPEATED_SECONDS) >= _REPEATED_SECONDS:
            self._noticed[text] = now
            self._waiting.append(partial(self._progress.notice, text))

    def take(self) -> list[Callable[[], None]]:
        """Return what is to be told, in order, as calls to be made."""
        taken, self._waiting = self._waiting, []
        return taken
