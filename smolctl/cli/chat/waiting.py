"""What moves while a person waits for the first word of an answer."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_PATIENCE_SECONDS = 0.3
_FRAME_SECONDS = 0.1
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"


class Waiting:
    """A sign on stderr that turns, from a moment after the block's beginning to `end`.

    It leaves nothing on the screen. The cursor stays where it is, so that a notice which comes
    meanwhile is written over it. With `shown` off nothing is drawn.
    """

    def __init__(self, *, shown: bool) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True) if shown else None

    def __enter__(self) -> Waiting:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """Take the sign away; when this returns, nothing more is drawn."""
        if self._thread is not None and not self._ended.is_set():
            self._ended.set()
            self._thread.join()

    def _turn(self) -> None:
        if self._ended.wait(_PATIENCE_SECONDS):
            return
        wide = (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "") == "utf8"
        frames = _FRAMES if wide else _PLAIN_FRAMES
        try:
            number = 0
            while True:
                sys.stderr.write(f"{frames[number % len(frames)]}\r")
                sys.stderr.flush()
                if self._ended.wait(_FRAME_SECONDS):
                    break
                number += 1
            sys.stderr.write("\x1b[K")
            sys.stderr.flush()
        except OSError:
            pass  # nobody watches any more
