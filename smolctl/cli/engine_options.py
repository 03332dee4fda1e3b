"""Flags of the commands that load a model: how its engine is to be."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.engine.options import CACHE_TYPES, EngineOptions, FlashAttention
from smolctl.errors import UsageError

CtxSizeFlag = Annotated[
    int | None, typer.Option("--ctx-size", help="Tokens of context; else the model's.")
]
ThreadsFlag = Annotated[int | None, typer.Option(help="CPU threads; else one per core.")]
ParallelFlag = Annotated[
    int | None,
    typer.Option(
        "--parallel", help="Answers side by side, each with a whole context; else 4 share one."
    ),
]
GpuLayersFlag = Annotated[
    str | None,
    typer.Option("--gpu-layers", metavar="auto|N", help="Layers on the GPU; auto: what fits."),
]
FlashAttnFlag = Annotated[
    FlashAttention | None, typer.Option("--flash-attn", help="Flash attention; on by default.")
]
CacheTypeKFlag = Annotated[
    str | None,
    typer.Option(
        "--cache-type-k", metavar="TYPE", help=f"Keys in the KV cache: {', '.join(CACHE_TYPES)}."
    ),
]
CacheTypeVFlag = Annotated[
    str | None,
    typer.Option("--cache-type-v", metavar="TYPE", help="Values in the KV cache; types as above."),
]
KeepAliveFlag = Annotated[
    str | None,
    typer.Option(
        "--keep-alive",
        metavar="DURATION",
        help="How long the idle model stays loaded: 5m, 0, -1 for ever (also: SMOLCTL_KEEP_ALIVE).",
    ),
]
LocalFlag = Annotated[
    bool, typer.Option("--local", help="Load it in this process, and leave nothing running.")
]


def engine_options(
    *,
    ctx_size: int | None,
    threads: int | None,
    parallel: int | None,
    gpu_layers: str | None,
    flash_attn: FlashAttention | None,
    cache_type_k: str | None,
    cache_type_v: str | None,
) -> tuple[EngineOptions, frozenset[str]]:
    """Return the options that the flags ask for, and the names of those that they say.

    Raises `UsageError` for a value that makes no sense.
    """
    given = {
        "context_size": ctx_size,
        "threads": threads,
        "sequences": parallel,
        "gpu_layers": _layers(gpu_layers),
        "flash_attention": flash_attn,
        "cache_type_k": cache_type_k,
        "cache_type_v": cache_type_v,
    }
    named = {name: value for name, value in given.items() if value is not None}
    options = EngineOptions(**named)  # type: ignore[arg-type] # each is of its field's type
    return options, frozenset(named) | ({"gpu_layers"} if gpu_layers is not None else set())


def _layers(text: str | None) -> int | None:
    """Return the number of `--gpu-layers`; None for as many as fit."""
    if text is None or text == "auto":
        return None
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"--gpu-layers is {text}", hint="It is auto, or a number of layers.")
    return int(text)
