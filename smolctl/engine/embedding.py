"""Embeddings: a text's tokens as one vector, made of the model's vectors for each of them.

They are decoded in a context of their own, by the thread that asks. The one that generates has
no room for them (its sequences hold replies, and it gives logits), and its thread would have them
wait between its steps, or replies wait for them; so two contexts share the processor instead.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from smolctl.engine.context import Chunk
from smolctl.engine.loading import open_embedding_context
from smolctl.errors import Interrupted, NotRunnable, PromptTooLong, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from smolctl.engine.context import Context
    from smolctl.engine.options import EngineOptions
    from smolctl.engine.weights import Weights

_MEAN, _FIRST, _LAST = 1, 2, 3
"""Of `enum llama_pooling_type`: MEAN, CLS, LAST. What remains is no pooling, and a rank."""

_SMALLEST = 512
_LARGEST_WHOLE = 8192
"""Tokens; what a model reads as a whole needs working memory for all of it at once."""

_BATCH = 256
"""Tokens: llama.cpp makes room for the logits of each, which nobody reads."""

_SEQUENCES = 16


class Embedder:
    """Makes embeddings with `weights`, of at most `limit` tokens each.

    Its context is made when it is first used, and again for a text that is longer than any
    before: most are short, and memory would be needed for the longest.
    """

    def __init__(self, weights: Weights, options: EngineOptions, causal_size: int | None) -> None:
        """Make one for a causal model with contexts of `causal_size`, or None for another model.

        The attention of another reads the text as a whole, in one batch.
        """
        self._weights = weights
        self._options = options
        self._causal = causal_size is not None
        self.limit = causal_size or _whole_limit(weights, options)
        # The state of a sequence in recurrent layers takes megabytes, used or not.
        self._sequences = 1 if weights.has_state else _SEQUENCES
        self._pooling = _pooling(weights)
        self._lock = Lock()
        self._context: Context | None = None
        self._closed = False

    def prepare(self) -> None:
        """Make the context that short texts need. Raises `NotRunnable` when that cannot be."""
        with self._lock:
            self._context_for(1)

    def close(self) -> None:
        """Wait for the batch under way, and free the context."""
        with self._lock:
            self._closed = True
            if self._context is not None:
                self._context.close()

    def embed(
        self,
        inputs: Sequence[Sequence[int]],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[list[float]]:
        """Return an embedding of unit length for each of `inputs`, which are tokens.

        Several are decoded in one batch where they fit, and another thread's turn comes between
        two batches. How the vectors of the tokens become one, the model says (`pooling_type`);
        it is their mean where it does not. Raises `PromptTooLong`, giving both numbers, for an
        input that does not fit, `UsageError` for one without tokens or with some that do not
        exist, and `NotRunnable` when the model ranks texts instead, or llama.cpp fails. It ends
        before the next batch with `Interrupted` once it is `cancelled`.
        """
        if self._pooling > _LAST:
            raise NotRunnable("this model ranks texts, and makes no embeddings")
        for number, tokens in enumerate(inputs):
            self._check(number, tokens)
        found: list[list[float]] = []
        budget = _BATCH if self._causal else _SMALLEST
        for group in _groups(inputs, budget, self._sequences):
            with self._lock:
                if self._closed:
                    raise NotRunnable("the model has been unloaded")
                vectors = self._pooled(group, cancelled)
            found += _unit(vectors).tolist()
        return found

    def _check(self, number: int, tokens: Sequence[int]) -> None:
        if not tokens:
            raise UsageError(f"input {number} has no tokens")
        if len(tokens) > self.limit:
            raise PromptTooLong(
                f"input {number} has {len(tokens)} tokens, an embedding is made of at most"
                f" {self.limit}",
                hint="Divide it, and ask for the embedding of each part.",
                prompt_tokens=len(tokens),
                context_size=self.limit,
            )
        if min(tokens) < 0 or max(tokens) >= self._weights.vocabulary.size:
            raise UsageError(f"input {number} has a token that the model does not have")

    def _pooled(
        self, group: Sequence[Sequence[int]], cancelled: Callable[[], bool]
    ) -> npt.NDArray[np.float32]:
        """Return a vector for each of `group`: all in one batch, or one in several."""
        # Not at the top: numpy takes 100 ms to import, and most engines embed nothing.
        import numpy as np

        context = self._context_for(max(map(len, group)))
        vectors = np.zeros((len(group), self._weights.embedding_length), np.float32)
        context.clear()
        for step in _steps(group, context.batch_tokens):
            if cancelled():
                raise Interrupted("nobody waits for the embedding any more")
            context.decode(step, embed=True)
            of_tokens = context.embeddings()
            row = 0
            for chunk in step:
                rows = of_tokens[row : row + len(chunk.tokens)]
                row += len(chunk.tokens)
                if self._pooling == _MEAN:
                    vectors[chunk.sequence] += rows.sum(axis=0)
                elif self._pooling == _LAST:
                    vectors[chunk.sequence] = rows[-1]
                elif chunk.position == 0:
                    vectors[chunk.sequence] = rows[0]
        return vectors

    def _context_for(self, tokens: int) -> Context:
        """Return a context that holds `tokens`, and any group of short inputs."""
        if self._context is None or self._context.size < tokens:
            size = min(max(_SMALLEST, 1 << (tokens - 1).bit_length()), max(_SMALLEST, self.limit))
            if self._context is not None:
                self._context.close()
                self._context = None
            self._context = open_embedding_context(
                self._weights,
                self._options,
                size,
                batch=_BATCH if self._causal else size,
                sequences=self._sequences,
            )
        return self._context


def _pooling(weights: Weights) -> int:
    stated = weights.fact("pooling_type") or ""
    return (int(stated) if stated.isdecimal() else 0) or _MEAN


def _whole_limit(weights: Weights, options: EngineOptions) -> int:
    # Beyond its own context, a model has no embeddings of positions: llama.cpp would crash.
    wanted = options.context_size or weights.context_length
    return min(wanted, weights.context_length, _LARGEST_WHOLE)


def _groups(
    inputs: Sequence[Sequence[int]], budget: int, most: int
) -> Iterator[Sequence[Sequence[int]]]:
    """Yield runs of at most `most` inputs with `budget` tokens together, or one that has more."""
    first = total = 0
    for number, tokens in enumerate(inputs):
        if number > first and (total + len(tokens) > budget or number - first == most):
            yield inputs[first:number]
            first, total = number, 0
        total += len(tokens)
    if inputs:
        yield inputs[first:]


def _steps(group: Sequence[Sequence[int]], batch_tokens: int) -> Iterator[list[Chunk]]:
    """Yield the batches of `group`: one, but for an input that is longer than a batch."""
    longest = max(map(len, group))
    for start in range(0, longest, batch_tokens):
        yield [
            Chunk(sequence, start, tokens[start : start + batch_tokens], True)
            for sequence, tokens in enumerate(group)
        ]


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return `vectors` at a length of 1; one that is zero stays so."""
    import numpy as np

    # In 64 bits: the squares of what a model gives may be too large for 32.
    wide = vectors.astype(np.float64)
    if not np.isfinite(wide).all():
        raise NotRunnable("the model's embedding is not made of numbers: its file is broken")
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return (wide / np.where(lengths == 0, 1, lengths)).astype(np.float32)
