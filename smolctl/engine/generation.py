"""A request for a reply, and the reply as its caller sees it: pieces of text as they come."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Literal

from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.engine.gbnf import Grammar

FinishReason = Literal["stop", "length", "cancelled"]

_MAXIMUM_STOPS = 16
_MAXIMUM_STOP_LETTERS = 1024
_MAXIMUM_LOGPROBS = 100
_SIGNAL_SECONDS = 0.2


@dataclass(frozen=True)
class GenerationRequest:
    """What to generate after `tokens`.

    The reply ends before the first of the `stop` strings. `logprobs` asks for each token's
    log-probability and that many likeliest alternatives; None for neither. Special tokens have no
    text in the reply, but for those in `shown`, and under a `grammar`, which sees their text.
    Raises `UsageError` for a value out of range.
    """

    tokens: tuple[int, ...]
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    grammar: Grammar | None = None
    shown: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.tokens:
            raise UsageError("the prompt has no tokens")
        if len(self.stop) > _MAXIMUM_STOPS:
            raise UsageError(f"there are {len(self.stop)} stop strings, at most {_MAXIMUM_STOPS}")
        if not all(1 <= len(stop) <= _MAXIMUM_STOP_LETTERS for stop in self.stop):
            raise UsageError(f"a stop string has from 1 to {_MAXIMUM_STOP_LETTERS} letters")
        if self.logprobs is not None and not 0 <= self.logprobs <= _MAXIMUM_LOGPROBS:
            raise UsageError(f"logprobs is {self.logprobs}, from 0 to {_MAXIMUM_LOGPROBS}")


@dataclass(frozen=True)
class TokenScore:
    """A token, its bytes, and the log-probability that the model gave it, before any sampler."""

    token: int
    piece: bytes
    logprob: float
    alternatives: tuple[TokenScore, ...] = ()


@dataclass(frozen=True)
class Piece:
    """Some more of a reply: its text, the tokens it came with, their scores if asked for.

    A letter whose bytes come in several tokens is held back until it is whole, and so is text
    that may be the beginning of a stop string; the tokens then come with the text. Bytes that
    never make a letter come out as U+FFFD.
    """

    text: str
    tokens: tuple[int, ...] = ()
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens of a generation. `cached` of the `prompt`'s were in the KV cache already."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Timings:
    """Seconds a generation took: waiting for a sequence, for its prompt, and for the reply.

    `first_token` is the time from the request to the first token.
    """

    queued: float
    prompt: float
    first_token: float
    generation: float


@dataclass(frozen=True)
class End:
    """How a reply ended: with a reason, or with the error that its caller gets."""

    reason: FinishReason | None
    error: Exception | None = None


class Generation:
    """An iterator over the pieces of a reply; iterate it in one thread.

    As a context manager it cancels what is left of the reply at the block's end. What it says of
    itself is final once the iteration has `ended`. The iteration raises `NotRunnable` where
    llama.cpp fails, and `InvalidGrammar` where a grammar turns out to be too much to follow.
    """

    def __init__(self, prompt_tokens: int) -> None:
        self.finish_reason: FinishReason | None = None
        self.cancelled = False
        self.cached_tokens = 0
        self.completion_tokens = 0
        self.prompt_tokens = prompt_tokens
        self.events: SimpleQueue[Piece | End] = SimpleQueue()
        self.ended = False
        now = time.perf_counter()
        self._submitted = self._admitted = self._prompt_done = self._first = self._last = now

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        if self.ended:
            raise StopIteration
        piece = self._taken(self._next_event())
        if piece is None:
            raise StopIteration
        return piece

    def poll(self) -> Piece | None:
        """Return the next piece if it is here; None if not, and when the reply has `ended`.

        Raises what the iteration raises. For who is told of events by `on_event`.
        """
        if self.ended:
            return None
        try:
            return self._taken(self.events.get_nowait())
        except Empty:
            return None

    def _taken(self, event: Piece | End) -> Piece | None:
        """Return the piece that `event` is; None when it is the end."""
        if isinstance(event, Piece):
            return event
        self.ended = True
        self.finish_reason = event.reason
        if event.error is not None:
            raise event.error
        return None

    def _next_event(self) -> Piece | End:
        """Wait for the next event. A signal that comes just before the wait does not end it."""
        while True:
            try:
                return self.events.get(timeout=_SIGNAL_SECONDS)
            except Empty:
                continue

    def __enter__(self) -> Generation:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End the reply at the engine's next step; from any thread, and without waiting."""
        self.cancelled = True

    def texts(self) -> Iterator[str]:
        """Yield the text of the pieces that have some."""
        return (piece.text for piece in self if piece.text)

    def admitted(self, cached: int) -> None:
        """Note that the reply has got a sequence, which holds `cached` of its tokens."""
        self.cached_tokens = cached
        self._admitted = self._prompt_done = self._last = time.perf_counter()

    def prompt_processed(self) -> None:
        """Note that the whole prompt is decoded."""
        self._prompt_done = self._last = time.perf_counter()

    def token_generated(self) -> None:
        """Note that another token of the reply was chosen."""
        self.completion_tokens += 1
        self._last = time.perf_counter()
        if self.completion_tokens == 1:
            self._first = self._last

    @property
    def usage(self) -> Usage:
        """The tokens so far."""
        return Usage(self.prompt_tokens, self.cached_tokens, self.completion_tokens)

    @property
    def timings(self) -> Timings:
        """The seconds so far."""
        return Timings(
            queued=self._admitted - self._submitted,
            prompt=self._prompt_done - self._admitted,
            first_token=self._first - self._submitted,
            generation=self._last - self._prompt_done,
        )
