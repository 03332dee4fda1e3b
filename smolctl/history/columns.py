"""Values as they lie in the database: times as text that sorts, texts that are Unicode."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from smolctl.engine.conversation import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence


class DamagedValue(ValueError):
    """A value in the database that nobody wrote like that."""


def stored_time(when: datetime) -> str:
    """Return `when` in RFC 3339, UTC, always as long: so the text sorts as the time does."""
    utc = when.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z"


def read_time(text: str) -> datetime:
    """Return the time that `stored_time` wrote. Raises `DamagedValue` for another."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise DamagedValue(f"{text!r} is no time") from error


def stored_text(text: str) -> str:
    """Return `text` with the halves of surrogate pairs replaced.

    JSON and arguments that are no UTF-8 may bring them, and SQLite takes none.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def message_columns(message: Message) -> tuple[str | None, ...]:
    """Return role, content, calls, the call's ID and the name of a message."""
    calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    return (
        message.role,
        stored_text(message.content),
        json.dumps(calls) if calls else None,
        None if message.tool_call_id is None else stored_text(message.tool_call_id),
        None if message.name is None else stored_text(message.name),
    )


def read_message(columns: Sequence[Any]) -> Message:
    """Return the message of `message_columns`. Raises `DamagedValue`."""
    role, content, calls, call_id, name = columns
    tool_calls: tuple[ToolCall, ...] = ()
    if calls is not None:
        try:
            tool_calls = tuple(ToolCall(*map(str, call)) for call in json.loads(calls))
        except (TypeError, ValueError) as error:
            raise DamagedValue("a call of a tool makes no sense") from error
    return Message(role, content, tool_calls, call_id, name)
