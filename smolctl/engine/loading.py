"""Loading a model into this process and making a context for it, by llama.cpp's C interface."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from smolctl.engine import crash, log
from smolctl.engine.context import Context
from smolctl.engine.interrupts import raised_after
from smolctl.engine.library import llama_cpp
from smolctl.engine.options import CACHE_TYPES
from smolctl.engine.weights import Weights
from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from smolctl.engine.options import EngineOptions

_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
"""`enum llama_flash_attn_type`."""


def check_gpu(options: EngineOptions) -> None:
    """Raise `UsageError` for GPU layers without a GPU: llama.cpp would say nothing, and be slow."""
    if not options.gpu_layers:
        return
    log.quiet(debug=False)  # looking for one is logged
    if not llama_cpp().llama_supports_gpu_offload():
        raise UsageError(
            f"--gpu-layers is {options.gpu_layers}, and llama.cpp finds no GPU here",
            hint="Leave it out: then a GPU is used where there is one.",
        )


def load_weights(
    paths: Sequence[Path],
    options: EngineOptions,
    *,
    debug: bool = False,
    on_abort: Callable[[str], object] | None = None,
) -> Weights:
    """Load the GGUF file, or the shards of one in their order.

    `debug` sends llama.cpp's log to stderr. `on_abort` is called with llama.cpp's reason when it
    ends the process, from here on. Raises `NotRunnable`, with llama.cpp's own reason, when it
    cannot load the file, and what `check_gpu` does.
    """
    check_gpu(options)
    lib = llama_cpp()
    log.quiet(debug=debug)
    log.forget_complaints()
    if on_abort is not None:
        crash.on_abort(on_abort)
    lib.llama_backend_init()
    names = (ctypes.c_char_p * len(paths))(*(os.fsencode(path) for path in paths))
    parameters = lib.llama_model_default_params()
    parameters.use_extra_bufts = _may_repack(lib)
    if options.gpu_layers is not None:
        parameters.n_gpu_layers = options.gpu_layers
    with ExitStack() as undo:
        with raised_after() as stopped:
            parameters.progress_callback = lib.llama_progress_callback(lambda *_: not stopped)
            model = lib.llama_model_load_from_splits(names, len(paths), parameters)
            undo.callback(lib.llama_model_free, model)
        if not model:
            raise NotRunnable(log.with_reason("llama.cpp cannot load the model"))
        if not lib.llama_model_has_decoder(model) or lib.llama_model_has_encoder(model):
            raise NotRunnable("this model does not generate text")
        weights = Weights(lib, model)
        undo.pop_all()
    return weights


def open_context(weights: Weights, options: EngineOptions) -> Context | None:
    """Make a context to generate in; None for a model that only embeds.

    That is one whose attention is not causal, or for which llama.cpp keeps nothing of what it has
    decoded: BERT and its like. Raises `NotRunnable`, with llama.cpp's own reason, when it cannot
    make the context.
    """
    if weights.fact("attention.causal") == "false":
        return None
    with raised_after():
        context = _open(weights, _settings(weights, options))
    if context.has_memory:
        return context
    context.close()
    return None


def open_embedding_context(
    weights: Weights, options: EngineOptions, size: int, *, batch: int, sequences: int
) -> Context:
    """Make a context of `size` tokens that gives an embedding for each token of a `batch`.

    Its `sequences` share the tokens. Raises `NotRunnable` when llama.cpp cannot make it.
    """
    settings = _settings(weights, options)
    settings.n_ctx = size
    settings.n_seq_max = sequences
    settings.n_batch = settings.n_ubatch = settings.n_outputs_max = batch
    settings.kv_unified = True
    settings.embeddings = True
    settings.pooling_type = weights.lib.LLAMA_POOLING_TYPE_NONE
    return _open(weights, settings)


def _open(weights: Weights, settings: Any) -> Context:
    log.forget_complaints()
    handle = weights.lib.llama_init_from_model(weights.handle, settings)
    if not handle:
        raise NotRunnable(
            log.with_reason("llama.cpp cannot make a context"),
            hint="A smaller --ctx-size needs less memory.",
        )
    return Context(weights, handle)


def _settings(weights: Weights, options: EngineOptions) -> Any:
    """Return llama.cpp's parameters of the context.

    Without a shared cache each sequence has a KV stream of its own (`kv_unified` off): attention
    then reads a sequence's own cells, and not everyone's under a mask. Logits are kept for one
    token of a sequence, the next one's beginning: by default there is room for a batch of them,
    100 MB with a vocabulary of 49,152.
    """
    size = options.context_size or weights.context_length
    settings = weights.lib.llama_context_default_params()
    streams = 1 if options.shared_cache else options.sequences
    settings.n_ctx = min(size * streams, 2**32 - 1)
    settings.n_seq_max = options.sequences
    settings.n_outputs_max = options.sequences
    settings.n_batch = settings.n_ubatch = options.batch_tokens
    settings.n_threads = settings.n_threads_batch = options.threads or usable_cores()
    settings.kv_unified = options.shared_cache
    settings.flash_attn_type = _FLASH_ATTENTION[options.flash_attention]
    settings.type_k = CACHE_TYPES[options.cache_type_k]
    settings.type_v = CACHE_TYPES[options.cache_type_v]
    return settings


def _may_repack(lib: Any) -> bool:
    """Whether llama.cpp may keep weights rearranged for this processor (`use_extra_bufts`).

    Not where that means AMX: GCC 12 optimizes most of the tile configuration away that ggml
    loads (the intrinsic declares that it reads eight bytes of it), and the first batch of a
    model in Q4_0, Q4_K, Q6_K or Q8_0 ends the process with a segmentation fault.
    """
    return b"AMX_INT8 = 1" not in lib.llama_print_system_info()


def usable_cores() -> int:
    """Return how many cores this process may use: the threads where nobody says how many."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
