"""Chat models of a test's own, that answer at once."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from smolctl.engine.conversation import Delta
from smolctl.engine.generation import Timings, Usage
from smolctl.errors import PromptTooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.engine.conversation import ChatRequest

TIMINGS = Timings(queued=0.0, prompt=0.5, first_token=0.5, generation=0.25)


@dataclass
class Reply:
    """What a model says; where a piece is an exception, that is raised in its place."""

    pieces: list[str | Delta | BaseException]
    finish_reason: str | None = "stop"
    usage: Usage | None = None
    timings: Timings | None = TIMINGS
    taken: int = 0
    left: bool = False

    def __iter__(self) -> Iterator[Delta]:
        for piece in self.pieces:
            self.taken += 1
            if isinstance(piece, BaseException):
                raise piece
            yield piece if isinstance(piece, Delta) else Delta(content=piece)


@dataclass
class ScriptedModel:
    """Says the next of `replies`, and keeps what it was asked."""

    replies: list[Reply]
    name: str = "a model"
    context_size: int | None = None
    sequences: int | None = 1
    load_seconds: float | None = None
    asked: list[ChatRequest] = field(default_factory=list)

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[Reply]:
        self.asked.append(chat)
        reply = self.replies.pop(0)
        try:
            yield reply
        finally:
            reply.left = True


class CountingModel:
    """A model with a context of so many words, that answers what `say` makes of the prompt.

    Its words are its tokens. `max_tokens` cuts its replies, and so does the end of its context.
    """

    name = "a model"
    sequences = 1
    load_seconds = None

    def __init__(self, words: int, say: Callable[[str], str], *, tells: bool = True) -> None:
        self.words = words
        self.context_size = words if tells else None
        self.prompts: list[str] = []
        self._say = say
        self._tells = tells

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[Reply]:
        prompt = "\n".join(message.content for message in chat.messages)
        count = len(prompt.split())
        if count >= self.words:
            told = {"prompt_tokens": count, "context_size": self.words} if self._tells else {}
            raise PromptTooLong("too long", **told)
        room = min(chat.sampling.max_tokens or self.words, self.words - count)
        if chat.sampling.max_tokens != 1:
            self.prompts.append(prompt)
        said = self._say(prompt).split(" ")
        usage = Usage(count, 0, len(said)) if self._tells else None
        reason = "length" if len(said) > room else "stop"
        yield Reply([" ".join(said[:room])], reason, usage)
