"""A reply under way, as the engine sees it: its tokens so far, and what becomes of the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.engine.generation import End, Generation, Piece
from smolctl.engine.text import ReplyText

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.engine.generation import FinishReason, GenerationRequest, TokenScore
    from smolctl.engine.sampling import Sampler
    from smolctl.engine.vocabulary import Vocabulary


class Reply:
    """One request's reply. `tokens` is its prompt and what was generated so far.

    `number` counts requests, oldest first. `limit` is the most tokens to generate.
    """

    def __init__(
        self,
        number: int,
        request: GenerationRequest,
        sampler: Sampler,
        limit: int,
        on_event: Callable[[], object] | None = None,
    ) -> None:
        self.number = number
        self.prompt = list(request.tokens)
        self.tokens = list(request.tokens)
        self.sampler = sampler
        self.logprobs = request.logprobs
        self.generation = Generation(len(self.prompt))
        self._shown = request.shown
        self._shows_all = request.grammar is not None
        self._limit = limit
        self._on_event = on_event
        self._text = ReplyText(request.stop)
        self._tokens: list[int] = []
        self._scores: list[TokenScore] = []

    @property
    def completion(self) -> int:
        """How many tokens were generated."""
        return len(self.tokens) - len(self.prompt)

    def take(self, token: int, score: TokenScore | None, vocabulary: Vocabulary) -> bool:
        """Add `token`, and send its text on as far as it is certain; returns whether it goes on."""
        if self.completion == 0:
            self.generation.prompt_processed()
        if vocabulary.ends_generation(token):
            self.end("stop")
            return False
        self.tokens.append(token)
        self.generation.token_generated()
        self._tokens.append(token)
        if score is not None:
            self._scores.append(score)
        shown = self._shows_all or token in self._shown
        text = self._text.feed(vocabulary.piece(token, special=shown))
        if text:
            self._send(text)
        if self._text.stopped:
            self.end("stop")
        elif self.completion >= self._limit:
            self.end("length")
        else:
            return True
        return False

    def end(self, reason: FinishReason) -> None:
        """Send what was held back, and the end."""
        rest = self._text.finish()
        if rest or self._tokens:
            self._send(rest)
        # A stop string may have been completed by the very last bytes.
        self._close(End("stop" if self._text.stopped else reason))

    def fail(self, error: Exception) -> None:
        """Have the reply's caller get `error`."""
        self._close(End(None, error))

    def _send(self, text: str) -> None:
        self._put(Piece(text, tuple(self._tokens), tuple(self._scores)))
        self._tokens.clear()
        self._scores.clear()

    def _close(self, end: End) -> None:
        self.sampler.close()
        self._put(end)

    def _put(self, event: Piece | End) -> None:
        self.generation.events.put(event)
        if self._on_event is not None:
            self._on_event()
