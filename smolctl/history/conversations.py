"""Conversations as they stand, each to be gone on with."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from smolctl.errors import ModelNotFound, UsageError
from smolctl.history.columns import message_columns, read_message, read_time, stored_time
from smolctl.history.exchange import Conversation

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from smolctl.engine.conversation import Message

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_COLUMNS = "id, name, model, created, updated, revision"


@dataclass(frozen=True)
class Summary:
    """A conversation in a list: `turns` are a person's messages, `opening` is the first of them."""

    id: int
    name: str | None
    model: str
    created: datetime
    updated: datetime
    turns: int
    opening: str

    @property
    def label(self) -> str:
        """What to call it by: its name, or its number."""
        return self.name or str(self.id)

    @property
    def is_one_shot(self) -> bool:
        """Whether it is what the log alone keeps of a single prompt: nobody named it or went on."""
        return self.name is None and self.turns < 2


def check_name(name: str) -> str:
    """Return `name`. Raises `UsageError` when no conversation can be called so."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(
            f"{name[:80]!r} is no name of a session",
            hint="A name is up to 64 letters, digits, dots, dashes and underscores.",
        )
    return name


def find(connection: sqlite3.Connection, name: str) -> Conversation | None:
    """Return the conversation that `name` is the name or the number of, if there is one.

    Raises `UsageError` for what is no name, and `ModelNotFound` for a number that none has: it
    cannot become a name.
    """
    column = "id" if check_name(name).isdecimal() else "name"
    found = _one(connection, f"WHERE {column} = ?", name)
    if found is None and column == "id":
        raise ModelNotFound(
            f"there is no conversation {name}",
            hint="`smolctl model sessions ls` lists them; a new one's name needs a letter.",
        )
    return found


def get(connection: sqlite3.Connection, name: str) -> Conversation:
    """Return the conversation called `name`. Raises `ModelNotFound` when there is none."""
    found = find(connection, name)
    if found is None:
        raise ModelNotFound(
            f"there is no session {name}", hint="`smolctl model sessions ls` lists them."
        )
    return found


def latest(connection: sqlite3.Connection) -> Conversation | None:
    """Return the conversation that changed last, if there is one."""
    return _one(connection, "ORDER BY updated DESC, id DESC LIMIT 1")


def summaries(connection: sqlite3.Connection) -> list[Summary]:
    """Return all conversations, the one that changed last first."""
    rows = connection.execute(
        """
        SELECT id, name, model, created, updated,
          (SELECT count(*) FROM message WHERE conversation = id AND role = 'user'),
          (SELECT content FROM message WHERE conversation = id AND role = 'user'
           ORDER BY position LIMIT 1)
        FROM conversation ORDER BY updated DESC, id DESC
        """
    )
    return [
        Summary(id_, name, model, read_time(created), read_time(updated), turns, opening or "")
        for id_, name, model, created, updated, turns, opening in rows
    ]


def write(
    connection: sqlite3.Connection,
    base: Conversation | None,
    *,
    name: str | None,
    model: str,
    messages: Sequence[Message],
) -> Conversation | None:
    """Make `messages` the conversation as it stands, in the place of `base`, and return it.

    Without a base it is a new one, called `name`. Where somebody else went on with the base, or
    has the name by now, theirs stays as it is, and this becomes one of its own, without a name.
    None where the base is gone and had no name: who deleted it does not want it back.
    """
    now = datetime.now(timezone.utc)
    if base is not None:
        there = connection.execute(
            "SELECT revision FROM conversation WHERE id = ?", (base.id,)
        ).fetchone()
        if there is None and base.name is None:
            return None
        if there is not None and there[0] == base.revision:
            return _update(connection, base, model, tuple(messages), now)
    taken = name is not None and _one(connection, "WHERE name = ?", name) is not None
    if (base is not None and base.name is None) or taken:
        name = None
    cursor = connection.execute(
        "INSERT INTO conversation (name, model, created, updated, revision) VALUES (?, ?, ?, ?, 1)",
        (name, model, stored_time(now), stored_time(now)),
    )
    made = Conversation(cursor.lastrowid or 0, name, model, now, now, tuple(messages), 1)
    _insert(connection, made, 0)
    return made


def remove(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Delete conversations; what the log has of them stays there."""
    connection.executemany("DELETE FROM conversation WHERE id = ?", [(id_,) for id_ in ids])


def _update(
    connection: sqlite3.Connection,
    base: Conversation,
    model: str,
    messages: tuple[Message, ...],
    now: datetime,
) -> Conversation:
    """Write what is different from the base: most of the time that is the last turn alone."""
    same = 0
    for before, after in zip(base.messages, messages, strict=False):
        if before != after:
            break
        same += 1
    changed = replace(base, model=model, updated=now, messages=messages, revision=base.revision + 1)
    connection.execute(
        "UPDATE conversation SET model = ?, updated = ?, revision = ? WHERE id = ?",
        (model, stored_time(now), changed.revision, base.id),
    )
    connection.execute(
        "DELETE FROM message WHERE conversation = ? AND position >= ?", (base.id, same)
    )
    _insert(connection, changed, same)
    return changed


def _insert(connection: sqlite3.Connection, conversation: Conversation, first: int) -> None:
    connection.executemany(
        "INSERT INTO message (conversation, position, role, content, tool_calls, tool_call_id,"
        " name) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (conversation.id, position, *message_columns(message))
            for position, message in enumerate(conversation.messages[first:], first)
        ],
    )


def _one(connection: sqlite3.Connection, which: str, *values: Any) -> Conversation | None:
    query = f"SELECT {_COLUMNS} FROM conversation {which}"  # noqa: S608 - our own words
    row = connection.execute(query, values).fetchone()
    if row is None:
        return None
    id_, name, model, created, updated, revision = row
    messages = connection.execute(
        "SELECT role, content, tool_calls, tool_call_id, name FROM message WHERE conversation = ?"
        " ORDER BY position",
        (id_,),
    )
    return Conversation(
        id_,
        name,
        model,
        read_time(created),
        read_time(updated),
        tuple(read_message(columns) for columns in messages),
        revision,
    )
