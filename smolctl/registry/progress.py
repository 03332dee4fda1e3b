"""What a pull tells of itself while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from smolctl.model.descriptor import Descriptor


class Progress(Protocol):
    """Hears of each layer, from one thread. Sizes are in bytes."""

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
