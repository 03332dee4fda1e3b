"""Quantization by llama.cpp's own quantizer."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from smolctl.engine import log
from smolctl.engine.library import llama_cpp
from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TICK_SECONDS = 0.2
_AGAIN = "requantizing"
"""What llama.cpp complains of when a tensor is quantized already."""


def quantize(
    source: Path,
    target: Path,
    quantization: str,
    tell: Callable[[int], None] = lambda _: None,
    *,
    name: str | None = None,
) -> None:
    """Write `source`, a GGUF file in F16, F32 or BF16, to `target` in `quantization`.

    `quantization` is a name such as `Q4_K_M` (llama.cpp's `LLAMA_FTYPE_MOSTLY_*`). `tell` hears,
    a few times a second, how many bytes of `target` are written. `name` is for errors. Source:
    `llama_model_quantize`. Raises `UsageError` for a name that llama.cpp does not know and
    `NotRunnable` when it refuses the file.
    """
    lib = llama_cpp()
    file_type = _file_types().get(quantization.upper())
    if file_type is None:
        raise UsageError(
            f"llama.cpp has no quantization {quantization!r}",
            hint=f"It has {', '.join(sorted(_file_types()))}.",
        )
    log.quiet(debug=False)
    log.forget_complaints()
    parameters = lib.llama_model_quantize_default_params()
    parameters.ftype = file_type
    done: SimpleQueue[int] = SimpleQueue()

    def work() -> None:
        done.put(lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), parameters))

    # In a thread of its own, because llama.cpp has no way to stop it: an interrupt is raised here,
    # and the process ends with the thread in it.
    threading.Thread(target=work, daemon=True).start()
    while True:
        with suppress(Empty):
            status = done.get(timeout=_TICK_SECONDS)
            break
        tell(target.stat().st_size if target.exists() else 0)
    if status:
        reason = log.first_complaint() or f"status {status}"
        name = name or source.name
        if _AGAIN in reason:
            raise NotRunnable(
                f"{name} is quantized already, and llama.cpp does not do that twice",
                hint="Begin with the model in F16, BF16 or F32.",
            )
        raise NotRunnable(f"llama.cpp cannot quantize {name}: {reason}")


def _file_types() -> dict[str, int]:
    """Return what llama.cpp can write, by name."""
    prefix = "LLAMA_FTYPE_MOSTLY_"
    lib = llama_cpp()
    return {
        name.removeprefix(prefix): getattr(lib, name)
        for name in dir(lib)
        if name.startswith(prefix)
    }
