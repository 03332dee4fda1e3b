"""The engine: one loaded model, asked from any thread for replies and for embeddings."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from smolctl.engine.embedding import Embedder
from smolctl.engine.loading import load_weights, open_context
from smolctl.engine.options import EngineOptions
from smolctl.engine.scheduler import EngineState, Scheduler
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from smolctl.engine.context import Context
    from smolctl.engine.generation import Generation, GenerationRequest
    from smolctl.engine.vocabulary import Vocabulary
    from smolctl.engine.weights import Weights


class Engine:
    """A loaded model that generates or embeds. Use it as a context manager, or call `close`.

    `context_size` is the most tokens of a prompt with its reply, or of a text to embed. Everything
    but `close` may be called by several threads at once.
    """

    def __init__(self, weights: Weights, context: Context | None, options: EngineOptions) -> None:
        self.vocabulary: Vocabulary = weights.vocabulary
        self._weights = weights
        self._context = context
        self._embedder = Embedder(weights, options, context.size if context else None)
        self.context_size = context.size if context else self._embedder.limit
        self._scheduler = None
        if context is not None:
            self._scheduler = Scheduler(
                context, weights.vocabulary, options.queue, shared_cache=options.shared_cache
            )

    @classmethod
    def open(
        cls,
        weights: Sequence[Path],
        options: EngineOptions | None = None,
        *,
        debug: bool = False,
        on_abort: Callable[[str], object] | None = None,
    ) -> Engine:
        """Load the GGUF file, or the shards of one in their order, and start its engine.

        `debug` sends llama.cpp's log to stderr. `on_abort` is called with llama.cpp's reason when
        it ends the process, from here on. Raises `NotRunnable`, with llama.cpp's own reason, when
        it cannot load the file or make the context, and `UsageError` for GPU layers without a GPU.
        """
        options = options or EngineOptions()
        with ExitStack() as undo:
            loaded = load_weights(weights, options, debug=debug, on_abort=on_abort)
            undo.callback(loaded.close)
            engine = cls(loaded, open_context(loaded, options), options)
            undo.pop_all()
            undo.callback(engine.close)
            if not engine.generates:
                engine._embedder.prepare()  # what does not work should fail now, and not later
            undo.pop_all()
        return engine

    @property
    def generates(self) -> bool:
        """Whether the model generates text; one for embeddings alone (BERT) does not."""
        return self._scheduler is not None

    @property
    def state(self) -> EngineState:
        """What the engine does just now; it waits for nothing, so the numbers may not add up."""
        if self._scheduler is None:
            return EngineState(0, 0, 0, 0, 0)
        return self._scheduler.state

    def on_broken(self, call: Callable[[], object]) -> None:
        """Have `call` called, in the engine's thread, should that end by a bug: it cannot go on."""
        if self._scheduler is not None:
            self._scheduler.on_broken = call

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all replies, as cancelled, wait for the step under way, and free the model."""
        if self._scheduler is not None:
            self._scheduler.close()
        self._embedder.close()
        if self._context is not None:
            self._context.close()
        self._weights.close()

    def check(self, request: GenerationRequest) -> None:
        """Raise what `submit` raises for a prompt that does not fit, or that is none."""
        self._generating().check(request)

    def submit(
        self,
        request: GenerationRequest,
        *,
        on_event: Callable[[], object] | None = None,
        uncounted: bool = False,
    ) -> Generation:
        """Ask for a reply, and return it at once; it is generated as it is, read or not.

        `on_event` is called in the engine's thread after each piece and after the end: who cannot
        wait in a thread asks `Generation.poll` then. It must return at once. One that is
        `uncounted` may wait however many do: its caller has a place, and lets in one for another.

        It ends at the model's end-of-generation token, before a stop string, at `max_tokens`, or
        when the context is full; the context is never shifted. Raises `PromptTooLong`, giving
        both numbers, when the prompt alone does not fit, `EngineBusy` when too many requests
        wait, `InvalidGrammar` and `UsageError` for a request that cannot be met, and
        `NotRunnable` when the model does not generate.
        """
        return self._generating().submit(request, on_event=on_event, uncounted=uncounted)

    def embed(
        self, inputs: Sequence[Sequence[int]], cancelled: Callable[[], bool] = lambda: False
    ) -> list[list[float]]:
        """Return the embedding of each of `inputs`, which are tokens; see `Embedder.embed`."""
        return self._embedder.embed(inputs, cancelled)

    def _generating(self) -> Scheduler:
        if self._scheduler is None:
            raise NotRunnable("this model makes embeddings, and does not generate text")
        return self._scheduler
