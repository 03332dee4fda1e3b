"""Waiting for another thread or process: for its end, or for what it tells nobody about."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    """Return as soon as `true()` is; fail when it is not within `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.002)


def wait_for_end(pid: int, seconds: float = 30) -> None:
    """Return when the process `pid`, which need not be ours, has ended; fail when it stays."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], seconds)[0], "it stays"
    finally:
        os.close(handle)
