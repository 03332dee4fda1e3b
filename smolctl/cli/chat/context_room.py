"""Keeping room in the context for the next answer: the oldest turns go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolctl.cli.chat.dialogue import Dialogue
    from smolctl.engine.conversation import Message
    from smolctl.errors import PromptTooLong

OUTGROWN = "The conversation has outgrown the context: its oldest turns are no longer sent."
"""What a person is told when turns go."""

_MOST_ROOM = 1024
_MESSAGE_LETTERS = 16
"""What a template writes around a message, about, in letters."""


def answer_room(context: int, max_tokens: int | None) -> int:
    """Return for how many tokens of an answer there should be room in a `context` of so many."""
    room = min(context // 4, _MOST_ROOM)
    return room if max_tokens is None else min(room, max_tokens)


def tokens_per_letter(messages: Iterable[Message], tokens: int) -> float:
    """Return how dense the text is, when `messages` were a prompt of so many `tokens`.

    It goes by the text itself: languages and code differ by a factor of ten.
    """
    return tokens / max(_letters(messages), 1)


def fitted(dialogue: Dialogue, question: str, density: float, context: int) -> Dialogue:
    """Return `dialogue` with as many of its oldest turns forgotten as leave room for an answer.

    `density` is in tokens a letter, `context` in tokens. Once some have to go, there is room for
    two answers afterwards: each time that the beginning changes the whole prompt is decoded anew.
    """
    room = answer_room(context, dialogue.sampling.max_tokens)
    if _tokens(dialogue, question, density) + room <= context:
        return dialogue
    return _without(dialogue, question, density, context - 2 * room)


def shortened(dialogue: Dialogue, question: str, error: PromptTooLong) -> Dialogue | None:
    """Return `dialogue` with more of its oldest turns forgotten, after `error`.

    None when there is none left to forget: what is too long then is the question itself, or the
    system prompt.
    """
    turns = len(dialogue.sent_turns)
    if not turns:
        return None
    tokens, context = error.prompt_tokens, error.context_size
    if tokens is None or context is None:
        return dialogue.forgetting(max(turns // 4, 1))
    density = tokens_per_letter(dialogue.asking(question), tokens)
    room = answer_room(context, dialogue.sampling.max_tokens)
    return _without(dialogue.forgetting(1), question, density, context - 2 * room)


def _without(dialogue: Dialogue, question: str, density: float, limit: int) -> Dialogue:
    while dialogue.sent_turns and _tokens(dialogue, question, density) > limit:
        dialogue = dialogue.forgetting(1)
    return dialogue


def _tokens(dialogue: Dialogue, question: str, density: float) -> float:
    return density * _letters(dialogue.asking(question))


def _letters(messages: Iterable[Message]) -> int:
    return sum(len(message.content) + _MESSAGE_LETTERS for message in messages)
