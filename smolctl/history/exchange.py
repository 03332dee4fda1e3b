"""What history keeps: a conversation as it stands, and each prompt with its reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.engine.conversation import Message
    from smolctl.engine.generation import Timings, Usage


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Exchange:
    """A prompt and the reply to it. `model` is the name that was asked for.

    `prompt` is the last message alone, `system` the system prompt it went with.
    """

    model: str
    prompt: str
    reply: str
    system: str | None = None
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    created: datetime = field(default_factory=_now)


@dataclass(frozen=True)
class Conversation:
    """Messages that a next one follows, the system prompt first where there is one.

    `name` is what `--session` called it; None for one that has no name. `revision` tells whether
    somebody else changed it meanwhile.
    """

    id: int
    name: str | None
    model: str
    created: datetime
    updated: datetime
    messages: tuple[Message, ...]
    revision: int = 0
