"""A worker's log: its standard error, which is a file that is kept small."""

from __future__ import annotations

import os
import time

_MAXIMUM_BYTES = 4 * 1024 * 1024


def log(text: str) -> None:
    """Write a line with the time before it. A log that has become large begins anew."""
    if os.fstat(2).st_size > _MAXIMUM_BYTES:
        os.ftruncate(2, 0)
    line = " ".join(text.split())
    os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode(errors="replace"))
