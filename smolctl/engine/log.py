"""llama.cpp's own log: kept off the terminal, its errors kept for error messages.

llama.cpp logs through one callback of the process (`llama_log_set`), so this is process state.
"""

from __future__ import annotations

import ctypes
import sys
from collections import deque
from typing import Any

from smolctl.engine.library import llama_cpp

_ERROR = 4  # enum ggml_log_level in ggml.h

_complaints: deque[str] = deque(maxlen=8)
_callbacks: list[Any] = []  # a C function pointer must outlive the library's use of it


def quiet(*, debug: bool) -> None:
    """Route llama.cpp's log: to stderr with `debug`, else nowhere but to `first_complaint`."""
    lib = llama_cpp()

    def receive(level: int, text: bytes, _: Any) -> None:
        line = text.decode(errors="replace")
        if debug:
            sys.stderr.write(line)
        if level == _ERROR and line.strip():
            _complaints.append(line.strip())

    callback = lib.llama_log_callback(receive)
    lib.llama_log_set(callback, ctypes.c_void_p(0))
    _callbacks.append(callback)
    if len(_callbacks) > 2:
        del _callbacks[0]


def forget_complaints() -> None:
    """Drop what was logged so far, before an operation whose complaints matter."""
    _complaints.clear()


def first_complaint() -> str | None:
    """Return the first error logged since `forget_complaints`: the cause, not its echoes."""
    return _complaints[0] if _complaints else None


def with_reason(message: str) -> str:
    """Return `message`, and llama.cpp's first complaint after it where there is one."""
    reason = first_complaint()
    return f"{message}: {reason}" if reason else message
