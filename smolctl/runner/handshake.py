"""What a worker that starts and whoever starts it say to each other, over inherited descriptors.

The worker reads its specification from descriptor 0, and reports once on `READY`: that it serves,
or why it cannot. It holds the model's lock until then by `LOCK`, so that no one else starts one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from smolctl import errors
from smolctl.errors import NotRunnable, SmolctlError

SPECIFICATION, READY, LOCK = 0, 3, 4

_CHUNK = 64 * 1024

_reported: list[bool] = []
"""Has something in it once this process has reported: there is no second time."""
_MAXIMUM_REPORT = 1024 * 1024


def report_ready(status: dict[str, Any]) -> None:
    """Say that requests may come, and let others start workers of this model again."""
    _report({"ready": status})
    os.close(LOCK)


def report_failure(error: SmolctlError) -> None:
    """Say why there will be no worker."""
    kind = type(error).__name__
    _report({"error": kind, "message": error.message, "hint": error.hint})


def report_crash(reason: str) -> None:
    """Say that llama.cpp ends this process, if anybody still waits to hear of it."""
    if not _reported:  # or the descriptor is another's by now: a client's connection
        report_failure(NotRunnable(f"llama.cpp crashed: {reason}"))


def read_report(handle: int) -> dict[str, Any] | None:
    """Wait for the report on `handle`; None when the worker ended without one.

    Returns the status of one that is ready, and raises the error of one that failed.
    """
    try:
        report = json.loads(read_all(handle, _MAXIMUM_REPORT))
        if "ready" in report:
            return dict(report["ready"])
        kind, message, hint = report["error"], str(report["message"]), report["hint"]
    except (ValueError, TypeError, KeyError):
        return None
    found = getattr(errors, str(kind), None)
    if isinstance(found, type) and issubclass(found, SmolctlError):
        raise found(message, hint=hint)
    raise NotRunnable(message, hint=hint)


def read_all(handle: int, limit: int) -> bytes:
    """Read `handle` to its end, at most `limit` bytes."""
    chunks, size = [], 0
    while size < limit and (chunk := os.read(handle, _CHUNK)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def write_all(handle: int, content: bytes) -> None:
    """Write the whole of `content`. Raises `BrokenPipeError` when nobody reads."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def _report(value: dict[str, Any]) -> None:
    _reported.append(True)
    with suppress(BrokenPipeError):  # whoever started us has left; others will come
        write_all(READY, json.dumps(value).encode())
    os.close(READY)
