"""One reply being generated: text as tokens arrive, and afterwards what it took."""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator


@dataclass(frozen=True)
class Usage:
    """Tokens of a generation. `cached` of the `prompt`'s were in the KV cache already."""

    prompt: int
    cached: int
    completion: int


@dataclass(frozen=True)
class Timings:
    """Seconds a generation took: for its prompt, to its first token, and for the rest."""

    prompt: float
    first_token: float
    generation: float


class Generation:
    """An iterator over the pieces of a reply's text, each valid UTF-8.

    A letter whose bytes come in several tokens is held back until it is whole; bytes that never
    make one come out as U+FFFD. Closing it ends the generation; what it says of itself is known
    once it is exhausted or closed.
    """

    def __init__(
        self, prompt_tokens: int, steps: Callable[[Generation], Generator[bytes, None, None]]
    ) -> None:
        self.finish_reason: Literal["stop", "length"] | None = None
        self._prompt_tokens = prompt_tokens
        self.cached_tokens = 0
        self.completion_tokens = 0
        self._began = time.perf_counter()
        self._prompt_done = self._began
        self._first_token = self._began
        self._ended = self._began
        self._steps = steps(self)
        self._pieces = decode_utf8(self._steps)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        finally:
            self._ended = time.perf_counter()

    def close(self) -> None:
        """End the generation where it is; the model is free for the next one."""
        self._steps.close()

    def prompt_processed(self, cached: int) -> None:
        """Note that the prompt is decoded, `cached` tokens of it without work."""
        self.cached_tokens = cached
        self._prompt_done = time.perf_counter()

    def token_generated(self) -> None:
        """Note that another token of the reply was chosen."""
        self.completion_tokens += 1
        if self.completion_tokens == 1:
            self._first_token = time.perf_counter()

    @property
    def usage(self) -> Usage:
        """The tokens so far."""
        return Usage(self._prompt_tokens, self.cached_tokens, self.completion_tokens)

    @property
    def timings(self) -> Timings:
        """The seconds so far."""
        return Timings(
            prompt=self._prompt_done - self._began,
            first_token=self._first_token - self._began,
            generation=self._ended - self._prompt_done,
        )


def decode_utf8(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of `chunks`, cut between letters wherever the bytes were cut.

    Bytes that are no UTF-8 come out as U+FFFD. Empty pieces are not yielded.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for chunk in chunks:
        text = decoder.decode(chunk)
        if text:
            yield text
    rest = decoder.decode(b"", final=True)
    if rest:
        yield rest
