"""Quantization by llama.cpp's own quantizer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from smolctl.engine import log
from smolctl.engine.interrupts import raised_after
from smolctl.engine.library import llama_cpp
from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def quantize(source: Path, target: Path, quantization: str) -> None:
    """Write `source`, a GGUF file in F16, F32 or BF16, to `target` in `quantization`.

    `quantization` is a name such as `Q4_K_M` (llama.cpp's `LLAMA_FTYPE_MOSTLY_*`). Source:
    `llama_model_quantize`. Raises `UsageError` for a name that llama.cpp does not know and
    `NotRunnable` when it refuses the file.
    """
    lib = llama_cpp()

    file_type = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{quantization}", None)
    if file_type is None:
        raise UsageError(f"llama.cpp has no quantization {quantization!r}")
    log.quiet(debug=False)
    log.forget_complaints()
    parameters = lib.llama_model_quantize_default_params()
    parameters.ftype = file_type
    with raised_after():
        status = lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), parameters)
    if status:
        reason = log.first_complaint() or f"status {status}"
        raise NotRunnable(f"llama.cpp cannot quantize {source.name}: {reason}")
