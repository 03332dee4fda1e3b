"""A worker's log: its standard error, which is a file that is kept small."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAXIMUM_BYTES = 4 * 1024 * 1024
_OLD_BYTES = 1024 * 1024
_END_BYTES = 64 * 1024
_BEGINNING = "--- "
_CRASH = "llama.cpp crashed: "


def log(text: str) -> None:
    """Write a line with the time before it. A log that has become large begins anew."""
    if os.fstat(2).st_size > _MAXIMUM_BYTES:
        os.ftruncate(2, 0)
    line = " ".join(text.split())
    os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n".encode(errors="replace"))


def log_beginning(text: str) -> None:
    """Write the line that a worker's part of the log begins with."""
    log(_BEGINNING + text)


def log_crash(reason: str) -> None:
    """Write that llama.cpp ends this process."""
    log(_CRASH + reason)


def crash_in(path: Path) -> str | None:
    """Return what the log's last worker says of its end: how llama.cpp crashed, if it did."""
    for line in last_part(path)[0]:
        _, crashed, reason = line.partition(_CRASH)
        if crashed:
            return crashed + reason
    return None


def log_end(path: Path) -> str | None:
    """Return the last line of the log's last worker; None when it wrote none."""
    lines = [line.strip() for line in last_part(path)[0] if line.strip()]
    return lines[-1] if lines and _BEGINNING not in lines[-1] else None


def last_part(path: Path) -> tuple[list[str], int]:
    """Return the lines that the log's last worker wrote, and the size of the log, in bytes.

    It is the last 64 KiB where that worker had more to say.
    """
    lines, size = lines_after(path, max(0, _size(path) - _END_BYTES))
    begun = [number for number, line in enumerate(lines) if f" {_BEGINNING}" in line]
    return lines[begun[-1] if begun else 0 :], size


def lines_after(path: Path, size: int) -> tuple[list[str], int]:
    """Return the whole lines after the first `size` bytes, and how many bytes there are to them.

    A log that is smaller has begun anew.
    """
    try:
        with path.open("rb") as file:
            start = size if size <= _size(path) else 0
            file.seek(start)
            content = file.read()
    except OSError:
        return [], 0
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), start + len(whole)


def rotate(path: Path) -> None:
    """Set a log that has become large aside, in the place of the one before it."""
    if _size(path) > _OLD_BYTES:
        with suppress(OSError):
            path.replace(path.with_suffix(".log.1"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
