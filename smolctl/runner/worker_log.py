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
_END_BYTES = 4096
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
    for line in _last_part(path):
        _, crashed, reason = line.partition(_CRASH)
        if crashed:
            return crashed + reason
    return None


def log_end(path: Path) -> str | None:
    """Return the last line of the log's last worker; None when it wrote none."""
    lines = _last_part(path)
    return lines[-1].strip() if lines else None


def rotate(path: Path) -> None:
    """Set a log that has become large aside, in the place of the one before it."""
    with suppress(OSError):  # there is none yet
        if path.stat().st_size > _OLD_BYTES:
            path.replace(path.with_suffix(".log.1"))


def _last_part(path: Path) -> list[str]:
    """Return the last lines, those since the last worker began."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    begun = [number for number, line in enumerate(lines) if f" {_BEGINNING}" in line]
    return [line for line in lines[begun[-1] + 1 if begun else 0 :] if line.strip()]
