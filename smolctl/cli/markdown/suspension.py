"""Ctrl-Z amid the painting: the shell gets its terminal in order."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Suspension:
    """Calls `leave` before the process is stopped from the terminal, and `resume` when it goes on.

    Both are called in the main thread; from another one nothing is changed.
    """

    def __init__(self, leave: Callable[[], object], resume: Callable[[], object]) -> None:
        self._leave = leave
        self._resume = resume
        self._watching = False

    def watch(self) -> None:
        """Do so from here on."""
        here = threading.current_thread() is threading.main_thread()
        if here and not self._watching and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._stop)
            self._watching = True

    def restore(self) -> None:
        """Do so no longer."""
        if self._watching and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            self._watching = False

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        del frame
        self._leave()
        # By the signal itself: the shell reports what stopped a job.
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
        signal.signal(signum, self._stop)
        self._resume()
