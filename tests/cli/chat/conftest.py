"""A chat with a person and a model of the test's own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.cli.chat.chat import Chat
from smolctl.cli.chat.dialogue import Dialogue
from smolctl.cli.output import Output
from smolctl.cli.record import Record
from smolctl.engine.conversation import ChatRequest, Delta, Message
from smolctl.errors import SmolctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from smolctl.engine.generation import Timings, Usage
    from smolctl.history.exchange import Exchange


@dataclass
class Reply:
    """What the model says: pieces, or an error to raise in their place."""

    pieces: tuple[Any, ...] = ("Yes.",)
    finish_reason: str | None = "stop"
    usage: Usage | None = None
    timings: Timings | None = None

    def __iter__(self) -> Iterator[Delta]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece if isinstance(piece, Delta) else Delta(content=piece)


class Model:
    """Gives the next of `replies`, and keeps what it was asked."""

    sequences = None

    def __init__(self, *replies: Reply, name: str = "a model", context: int | None = None) -> None:
        self.name = name
        self.context_size = context
        self.load_seconds: float | None = 2.0
        self.asked: list[ChatRequest] = []
        self._replies = list(replies)

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[Reply]:
        self.asked.append(chat)
        reply = self._replies.pop(0)
        if isinstance(reply.pieces[0], SmolctlError) and len(reply.pieces) == 1:
            raise reply.pieces[0]
        yield reply

    @property
    def sent(self) -> list[list[str]]:
        """The texts of each request's messages."""
        return [[each.content for each in chat.messages] for chat in self.asked]


class Opened:
    """The model that is open, and others by their names; an error where that is one."""

    def __init__(self, model: Model, **others: Any) -> None:
        self.model = model
        self._others = others

    def switch(self, name: str) -> None:
        other = self._others[name]
        if isinstance(other, BaseException):
            raise other
        self.model = other


class Typing:
    """A person who types these lines and then leaves; a callable is called first."""

    lines = True

    def __init__(self, *typed: str | BaseException | Callable[[], str]) -> None:
        self._typed = list(typed)
        self.prompts: list[str] = []

    def read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self._typed:
            raise EOFError
        typed = self._typed.pop(0)
        if isinstance(typed, BaseException):
            raise typed
        return typed if isinstance(typed, str) else typed()


@dataclass
class Kept(Record):
    """A record that remembers what it was given."""

    messages: tuple[Message, ...] = ()
    name: str | None = None
    kept: list[tuple[list[str], Exchange | None]] = field(default_factory=list)

    def keep(self, messages: Sequence[Message], exchange: Exchange | None = None) -> None:
        self.kept.append(([each.content for each in messages], exchange))


@dataclass
class Talk:
    """A chat that has taken place: what was shown where, and what became of it."""

    chat: Chat
    record: Kept
    typing: Typing
    out: str
    err: str


@pytest.fixture
def talk(capsys: pytest.CaptureFixture[str]) -> Callable[..., Talk]:
    """Have a chat: the model, what is typed, and where it goes on from."""

    def chat_with(
        model: Model | Opened,
        *typed: Any,
        dialogue: Dialogue | None = None,
        record: Kept | None = None,
        **options: Any,
    ) -> Talk:
        record = Kept() if record is None else record
        typing = Typing(*typed)
        opened: Any = model if isinstance(model, Opened) else Opened(model)
        chat = Chat(Output(), typing, opened, dialogue or Dialogue(), record, **options)
        chat.run()
        out, err = capsys.readouterr()
        return Talk(chat, record, typing, out, err)

    return chat_with
