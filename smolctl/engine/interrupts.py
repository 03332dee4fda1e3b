"""Ctrl-C and SIGTERM while llama.cpp runs: kept, where ctypes would drop them.

Python calls a signal's handler when the main thread next runs Python code, and during a call of
llama.cpp that code is a callback: the log's, or the one of loading's progress. What the handler
raises there cannot pass through C, so ctypes hands it to `sys.unraisablehook`, and the call goes
on as if nobody had asked it to stop.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs


@contextmanager
def raised_after() -> Iterator[list[BaseException]]:
    """Raise at the end of the block what a callback in it was stopped by.

    Gives the list of what has stopped one so far, so that a callback can make C give up early.
    A mistake in a callback (an `Exception`) is reported as ever, and not raised.
    """
    stopped: list[BaseException] = []
    report = sys.unraisablehook

    def keep(unraisable: UnraisableHookArgs) -> None:
        if unraisable.exc_value is None or isinstance(unraisable.exc_value, Exception):
            report(unraisable)
        else:
            stopped.append(unraisable.exc_value)

    sys.unraisablehook = keep
    try:
        yield stopped
    finally:
        sys.unraisablehook = report
    if stopped:
        raise stopped[0]
