"""One interface to a model that chats: in this process, or in another one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from smolctl.engine.chat import ReplyReader
    from smolctl.engine.conversation import ChatRequest, Delta
    from smolctl.engine.generation import Generation, Timings, Usage
    from smolctl.runner.loaded import LoadedModel


class ChatReply(Protocol):
    """A message while it comes. What it says of itself is final once the iteration has ended."""

    def __iter__(self) -> Iterator[Delta]:
        """Yield the message's pieces."""

    @property
    def finish_reason(self) -> str | None:
        """`stop`, `length`, `tool_calls` or `cancelled`; None where nobody says."""

    @property
    def usage(self) -> Usage | None:
        """The tokens; None where nobody says."""

    @property
    def timings(self) -> Timings | None:
        """The seconds; None where nobody says."""


class ChatModel(Protocol):
    """A model that chats."""

    @property
    def name(self) -> str:
        """What the model was asked for as."""

    @property
    def context_size(self) -> int | None:
        """The tokens that its context holds; None while nobody knows."""

    @property
    def sequences(self) -> int | None:
        """How many answers it gives at once; None while nobody knows."""

    @property
    def load_seconds(self) -> float | None:
        """How long this command waited for it to be loaded; None where it was, or nobody says."""

    def reply(self, chat: ChatRequest) -> AbstractContextManager[ChatReply]:
        """Ask for the next message. Leaving the block cancels what is left of it."""


class LocalChat:
    """A model that is loaded in this process."""

    def __init__(self, loaded: LoadedModel, load_seconds: float) -> None:
        self.load_seconds = load_seconds
        self._loaded = loaded

    @property
    def name(self) -> str:
        """What the model was asked for as."""
        return self._loaded.name

    @property
    def context_size(self) -> int | None:
        """The tokens that its context holds."""
        return self._loaded.engine.context_size

    @property
    def sequences(self) -> int | None:
        """How many answers it gives at once."""
        return self._loaded.options.sequences

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[ChatReply]:
        """Generate the next message."""
        prepared = self._loaded.prepare(chat)
        with self._loaded.engine.submit(prepared.request) as generation:
            yield _LocalReply(generation, prepared.reader)


class _LocalReply:
    def __init__(self, generation: Generation, reader: ReplyReader) -> None:
        self._generation = generation
        self._reader = reader
        self._deltas = reader.deltas(generation)

    def __iter__(self) -> Iterator[Delta]:
        return self._deltas

    @property
    def finish_reason(self) -> str | None:
        return self._reader.finish_reason(self._generation.finish_reason)

    @property
    def usage(self) -> Usage:
        return self._generation.usage

    @property
    def timings(self) -> Timings:
        return self._generation.timings
