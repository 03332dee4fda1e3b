"""llama.cpp giving up: an assertion of its own that fails aborts the process.

By default it then prints a backtrace, from gdb where there is one, and nothing can be returned to:
what is left is to say so in a sentence (`ggml_set_abort_callback` in ggml's `ggml.h`).
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any

from smolctl.engine.library import llama_cpp

if TYPE_CHECKING:
    from collections.abc import Callable

_Callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
_callbacks: list[Any] = []  # a C function pointer must outlive the library's use of it


def on_abort(report: Callable[[str], object]) -> None:
    """Have `report` called with llama.cpp's reason before it aborts, in place of a backtrace.

    It may be called in any thread. When it returns, the process ends by SIGABRT.
    """
    lib = llama_cpp()

    def receive(message: bytes) -> None:
        # The source file's folder is that of the build, which tells people nothing.
        report(re.sub(r"^\S*/", "", message.decode(errors="replace").strip()))

    callback = _Callback(receive)
    lib._lib.ggml_set_abort_callback(callback)
    _callbacks[:] = [*_callbacks[-1:], callback]
