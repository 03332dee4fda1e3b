"""What was said in a chat, and how it goes on: values that never change, and no terminal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from smolctl.engine.conversation import Message
from smolctl.engine.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Turn:
    """A question and what came of it: the answer, after the results of tools where there are some.

    A conversation that somebody else began may have turns without the one or the other.
    """

    messages: tuple[Message, ...]

    @classmethod
    def of(cls, question: str, answer: str) -> Turn:
        """Return the turn that a chat has."""
        return cls((Message("user", question), Message("assistant", answer)))

    @property
    def question(self) -> str:
        """What the person said."""
        return next((each.content for each in self.messages if each.role == "user"), "")

    @property
    def answer(self) -> str:
        """What the model said last."""
        said = (each.content for each in reversed(self.messages) if each.role == "assistant")
        return next(said, "")


@dataclass(frozen=True)
class Dialogue:
    """A conversation as it stands, and what the next answer is asked for with.

    The `forgotten` oldest turns are kept, but no longer sent: they have no room in the context.
    """

    system: str | None = None
    turns: tuple[Turn, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    forgotten: int = 0

    @classmethod
    def of(cls, messages: Sequence[Message], sampling: Sampling) -> Dialogue:
        """Return the conversation that `messages` are; the first may be the system prompt."""
        system = messages[0].content if messages and messages[0].role == "system" else None
        turns: list[list[Message]] = []
        for message in messages[0 if system is None else 1 :]:
            if message.role == "user" or not turns:
                turns.append([])
            turns[-1].append(message)
        return cls(system or None, tuple(Turn(tuple(turn)) for turn in turns), sampling)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, the system prompt first."""
        return (*self._beginning, *(each for turn in self.turns for each in turn.messages))

    def asking(self, question: str) -> tuple[Message, ...]:
        """Return the messages to send with the next `question`."""
        kept = self.turns[self.forgotten :]
        said = (each for turn in kept for each in turn.messages)
        return (*self._beginning, *said, Message("user", question))

    def answered(self, question: str, answer: str) -> Dialogue:
        """Return it with another turn."""
        return replace(self, turns=(*self.turns, Turn.of(question, answer)))

    def undone(self) -> Dialogue:
        """Return it without its last turn."""
        turns = self.turns[:-1]
        return replace(self, turns=turns, forgotten=min(self.forgotten, len(turns)))

    def cleared(self) -> Dialogue:
        """Return it with nothing said yet; the system prompt and the sampling stay."""
        return replace(self, turns=(), forgotten=0)

    def with_system(self, system: str | None) -> Dialogue:
        """Return it with another system prompt; None or nothing for none."""
        return replace(self, system=system or None)

    def forgetting(self, count: int) -> Dialogue:
        """Return it with `count` more of its oldest turns not sent."""
        return replace(self, forgotten=min(self.forgotten + count, len(self.turns)))

    def remembering(self) -> Dialogue:
        """Return it with every turn sent: for a model whose context may hold them."""
        return replace(self, forgotten=0)

    @property
    def sent_turns(self) -> tuple[Turn, ...]:
        """The turns that go with the next question."""
        return self.turns[self.forgotten :]

    @property
    def _beginning(self) -> tuple[Message, ...]:
        return () if self.system is None else (Message("system", self.system),)
