"""How to load a model and make its context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from smolctl.errors import UsageError

FlashAttention = Literal["auto", "on", "off"]

CACHE_TYPES = {
    "f32": 0,
    "f16": 1,
    "bf16": 30,
    "q8_0": 8,
    "q5_1": 7,
    "q5_0": 6,
    "q4_1": 3,
    "q4_0": 2,
}
"""What the KV cache may be kept in; the numbers are those of `enum ggml_type`."""

UNQUANTIZED = ("f32", "f16", "bf16")


@dataclass(frozen=True)
class EngineOptions:
    """How to load a model. `context_size` is in tokens, None for the model's own.

    `sequences` replies are generated side by side. Each has a KV cache of `context_size`, or with
    `shared_cache` all have one together, of which any of them may use as much as is free.
    `threads` None takes one for each core this process may use. `batch_tokens` is the most that
    one step decodes. `queue` requests may wait for a sequence. `gpu_layers` go to a GPU, None for
    as many as llama.cpp finds room for; without a GPU, None is silent and any number but 0 is an
    error when the model is loaded. `flash_attention` `auto` leaves it to llama.cpp; values in a
    quantized cache need it. Raises `UsageError` for a value out of range, naming its flag.
    """

    context_size: int | None = None
    threads: int | None = None
    sequences: int = 1
    shared_cache: bool = False
    batch_tokens: int = 512
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: FlashAttention = "on"
    queue: int = 64
    gpu_layers: int | None = None

    def __post_init__(self) -> None:
        if self.context_size is not None and not 1 <= self.context_size < 2**31:
            raise UsageError(f"--ctx-size is {self.context_size}", hint="It must be at least 1.")
        if self.threads is not None:
            _check("--threads", self.threads, 1, 1024)
        _check("--parallel", self.sequences, 1, 256)
        _check("--batch-size", self.batch_tokens, self.sequences, 65536)
        _check("--queue", self.queue, 0, 65536)
        if self.gpu_layers is not None:
            _check("--gpu-layers", self.gpu_layers, 0, 1024)
        if self.flash_attention not in get_args(FlashAttention):
            raise UsageError(
                f"--flash-attn is {self.flash_attention}",
                hint=f"It is one of {', '.join(get_args(FlashAttention))}.",
            )
        for flag, name in (("k", self.cache_type_k), ("v", self.cache_type_v)):
            if name not in CACHE_TYPES:
                raise UsageError(
                    f"--cache-type-{flag} is {name}", hint=f"It is one of {', '.join(CACHE_TYPES)}."
                )
        if self.flash_attention == "off" and self.cache_type_v not in UNQUANTIZED:
            raise UsageError(
                f"--flash-attn is off, and --cache-type-v {self.cache_type_v} needs it",
                hint=f"Without it, the type is one of {', '.join(UNQUANTIZED)}.",
            )


def _check(flag: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{flag} is {value}", hint=f"It must be from {low} to {high}.")
