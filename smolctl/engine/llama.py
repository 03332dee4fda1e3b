"""A model loaded into this process by llama.cpp, through its low-level C interface.

One context with one sequence. What the sequence's KV cache holds is remembered, so that a prompt
that continues the conversation before it costs only its new tokens.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smolctl.engine import crash, log
from smolctl.engine.generation import Generation
from smolctl.engine.interrupts import raised_after
from smolctl.engine.sampling import SamplerChain, Sampling
from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

_BATCH_TOKENS = 512
"""Most prompt tokens in one call of `llama_decode`: between two calls Ctrl-C is heard."""

_SPINS = "300"
"""Turns that a waiting thread stays awake: enough for the next tensor, not for a time slice."""

_SEQUENCE = 0
_NO_SLOT = 1  # llama_decode: the KV cache has no room for the batch


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model. `context_size` is in tokens, None for the model's own.

    `threads` None takes one for each core this process may use. Raises `UsageError` for a value
    out of range, naming its flag.
    """

    context_size: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.context_size is not None and not 1 <= self.context_size < 2**31:
            raise UsageError(f"--ctx-size is {self.context_size}", hint="It must be at least 1.")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UsageError(f"--threads is {self.threads}", hint="It must be from 1 to 1024.")


def load(
    weights: Sequence[Path],
    options: LoadOptions | None = None,
    *,
    debug: bool = False,
    on_abort: Callable[[str], object] | None = None,
) -> LoadedModel:
    """Load the GGUF file, or the shards of one in their order, and make a context for it.

    `debug` sends llama.cpp's log to stderr. `on_abort` is called with llama.cpp's reason when it
    ends the process, from here on. Raises `NotRunnable`, with llama.cpp's own reason, when it
    cannot load the file or make the context.
    """
    options = options or LoadOptions()
    _wait_politely()
    try:
        from llama_cpp import llama_cpp as lib
    except ImportError as error:
        raise NotRunnable(
            f"llama.cpp cannot be loaded: {error}", hint="pip install llama-cpp-python"
        ) from error
    log.quiet(debug=debug)
    log.forget_complaints()
    if on_abort is not None:
        crash.on_abort(on_abort)
    lib.llama_backend_init()
    paths = (ctypes.c_char_p * len(weights))(*(os.fsencode(path) for path in weights))
    parameters = lib.llama_model_default_params()
    parameters.use_extra_bufts = _may_repack(lib)
    settings = lib.llama_context_default_params()
    settings.n_ctx = options.context_size or 0
    settings.n_batch = settings.n_ubatch = _BATCH_TOKENS
    settings.n_threads = settings.n_threads_batch = options.threads or _cores()
    with ExitStack() as undo:
        with raised_after() as stopped:
            parameters.progress_callback = lib.llama_progress_callback(lambda *_: not stopped)
            model = lib.llama_model_load_from_splits(paths, len(weights), parameters)
            undo.callback(lib.llama_model_free, model)
        if not model:
            raise _refusal("llama.cpp cannot load the model")
        if not lib.llama_model_has_decoder(model) or lib.llama_model_has_encoder(model):
            raise NotRunnable("this model does not generate text")
        with raised_after():
            context = lib.llama_init_from_model(model, settings)
            undo.callback(lib.llama_free, context)
        if not context:
            hint = "A smaller --ctx-size needs less memory."
            raise _refusal("llama.cpp cannot make a context", hint)
        undo.pop_all()
    return LoadedModel(lib, model, context)


class LoadedModel:
    """A model and its context. Use it as a context manager, or call `close`.

    It serves one generation at a time: begin the next after the last was exhausted or closed.
    """

    def __init__(self, lib: Any, model: Any, context: Any) -> None:
        self._lib = lib
        self._model = model
        self._context = context
        self._vocabulary = lib.llama_model_get_vocab(model)
        self._cached: list[int] = []
        self._buffer = ctypes.create_string_buffer(256)

    def __enter__(self) -> LoadedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context and the model."""
        if self._context is not None:
            self._lib.llama_free(self._context)
            self._lib.llama_model_free(self._model)
            self._context = self._model = None

    @cached_property
    def context_size(self) -> int:
        """Tokens in the context: prompt and reply together."""
        return int(self._lib.llama_n_ctx(self._context))

    @cached_property
    def bos_token(self) -> str:
        """The text of the token that begins a sequence, empty when the model has none."""
        return self._token_text(self._lib.llama_vocab_bos(self._vocabulary))

    @cached_property
    def eos_token(self) -> str:
        """The text of the token that ends a sequence, empty when the model has none."""
        return self._token_text(self._lib.llama_vocab_eos(self._vocabulary))

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of `text`, a rendered conversation, special tokens recognized.

        The beginning-of-sequence token is added where the model wants it and the template has
        not put it there (`llama_tokenize`, which would add a second one).
        """
        encoded = text.encode(errors="replace")
        size = len(encoded) + 8
        tokens = (self._lib.llama_token * size)()
        count = self._lib.llama_tokenize(
            self._vocabulary, encoded, len(encoded), tokens, size, False, True
        )
        if count < 0:  # cannot happen: no text has more tokens than bytes
            raise NotRunnable("llama.cpp cannot tokenize the prompt")
        found = list(tokens[:count])
        bos = self._lib.llama_vocab_bos(self._vocabulary)
        if self._lib.llama_vocab_get_add_bos(self._vocabulary) and found[:1] != [bos]:
            found.insert(0, bos)
        return found

    def generate(self, prompt: str, sampling: Sampling) -> Generation:
        """Begin a reply to `prompt`, a rendered conversation, and return it as it comes.

        The reply ends at the model's end-of-generation token, at `sampling.max_tokens`, or when
        the context is full; the context is never shifted. Raises `NotRunnable`, giving both
        numbers, when the prompt alone does not fit.
        """
        tokens = self.tokenize(prompt)
        if not tokens:
            raise NotRunnable("the prompt has no tokens")
        if len(tokens) >= self.context_size:
            raise NotRunnable(
                f"the prompt has {len(tokens)} tokens, the context holds {self.context_size}",
                hint="Shorten the prompt, or ask for a larger context with --ctx-size.",
            )
        return Generation(len(tokens), lambda generation: self._steps(generation, tokens, sampling))

    def _steps(
        self, generation: Generation, tokens: list[int], sampling: Sampling
    ) -> Generator[bytes, None, None]:
        """Decode the prompt, then yield the bytes of one token after another."""
        lib = self._lib
        cached = self._keep_prefix(tokens)
        # The batch of a small context is smaller than asked for, and a larger one ends the process.
        batch = int(lib.llama_n_batch(self._context))
        for start in range(cached, len(tokens), batch):
            self._decode(tokens[start : start + batch])
        generation.prompt_processed(cached)
        limit = min(sampling.max_tokens or self.context_size, self.context_size - len(tokens))
        chain = SamplerChain(sampling, lib.llama_vocab_n_tokens(self._vocabulary))
        try:
            while True:
                token = chain.sample(self._context)
                if lib.llama_vocab_is_eog(self._vocabulary, token):
                    generation.finish_reason = "stop"
                    return
                generation.token_generated()
                yield self._piece(token)
                if generation.completion_tokens >= limit:
                    generation.finish_reason = "length"
                    return
                self._decode([token])
        finally:
            chain.close()

    def _keep_prefix(self, tokens: list[int]) -> int:
        """Keep what the KV cache shares with `tokens`; returns how many tokens that is.

        The last token is always decoded anew: its logits are where the reply begins.
        """
        shared = 0
        for old, new in zip(self._cached, tokens[:-1], strict=False):
            if old != new:
                break
            shared += 1
        memory = self._lib.llama_get_memory(self._context)
        if not self._lib.llama_memory_seq_rm(memory, _SEQUENCE, shared, -1):
            # A recurrent model's state cannot be cut: begin anew.
            self._lib.llama_memory_seq_rm(memory, _SEQUENCE, -1, -1)
            shared = 0
        del self._cached[shared:]
        return shared

    def _decode(self, tokens: list[int]) -> None:
        """Run the model over `tokens`, which continue the sequence (`llama_decode`)."""
        array = (self._lib.llama_token * len(tokens))(*tokens)
        batch = self._lib.llama_batch_get_one(array, len(tokens))
        with raised_after():
            status = self._lib.llama_decode(self._context, batch)
        if status:
            reason = "the context is full" if status == _NO_SLOT else f"status {status}"
            raise _refusal(f"llama.cpp stopped: {reason}")
        self._cached += tokens

    def _piece(self, token: int, *, special: bool = False) -> bytes:
        """Return the bytes of `token` (`llama_token_to_piece`)."""
        while True:
            size = len(self._buffer)
            count = self._lib.llama_token_to_piece(
                self._vocabulary, token, self._buffer, size, 0, special
            )
            if count >= 0:
                return self._buffer.raw[:count]
            self._buffer = ctypes.create_string_buffer(-count)

    def _token_text(self, token: int) -> str:
        return self._piece(token, special=True).decode(errors="replace") if token >= 0 else ""


def _may_repack(lib: Any) -> bool:
    """Whether llama.cpp may keep weights rearranged for this processor (`use_extra_bufts`).

    Not where that means AMX: GCC 12 optimizes most of the tile configuration away that ggml
    loads (the intrinsic declares that it reads eight bytes of it), and the first batch of a
    model in Q4_0, Q4_K, Q6_K or Q8_0 ends the process with a segmentation fault.
    """
    return b"AMX_INT8 = 1" not in lib.llama_print_system_info()


def _wait_politely() -> None:
    """Have OpenMP's threads sleep when there is long nothing to do for them; they spin by default.

    Where several processes share the cores (`xargs -P4`), a thread that spins keeps another one's
    work from its core: four answers on two cores took 7.0 s, and take 1.9 s so. One alone is as
    fast as before. libgomp reads the variable when it is loaded, with llama.cpp.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _refusal(message: str, hint: str | None = None) -> NotRunnable:
    reason = log.first_complaint()
    return NotRunnable(f"{message}: {reason}" if reason else message, hint=hint)
