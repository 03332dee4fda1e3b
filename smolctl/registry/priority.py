"""Which thread of a transfer goes first when there are more of them than cores."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

_NICER = 5


def give_way() -> None:
    """Let the verifier's thread go before this one, where a thread has a priority of its own.

    On a network faster than a core can hash, the hash is what a pull waits for in the end.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, nice + _NICER)
