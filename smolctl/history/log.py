"""The log: each prompt with its reply, in the order in which they ended."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.engine.generation import Timings, Usage
from smolctl.errors import ModelNotFound
from smolctl.history.columns import read_time, stored_text, stored_time
from smolctl.history.exchange import Exchange

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from datetime import datetime

_COLUMNS = (
    "created",
    "model",
    "system",
    "prompt",
    "reasoning",
    "reply",
    "finish_reason",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "queued_seconds",
    "prompt_seconds",
    "first_token_seconds",
    "generation_seconds",
)


@dataclass(frozen=True)
class Entry:
    """An exchange in the log.

    `conversation` is the number of the one it belongs to, if that is still there; `session` is
    its name, if it has one.
    """

    id: int
    conversation: int | None
    session: str | None
    exchange: Exchange


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted: the last `count` of those for which all of it is so.

    All of the `words` are in the prompt or the reply, in any case; a part of a word counts.
    `model` says of a name whether it is one of the model's. `conversation` is a number.
    """

    count: int | None = None
    words: Sequence[str] = ()
    model: Callable[[str], bool] | None = None
    conversation: int | None = None


@dataclass(frozen=True)
class Deleted:
    """What was deleted: so many entries; `sessions` are those that still have what was in them."""

    entries: int
    sessions: tuple[str, ...]


def append(connection: sqlite3.Connection, exchange: Exchange, conversation: int | None) -> None:
    """Add `exchange` to the log."""
    usage, timings = exchange.usage, exchange.timings
    values = (
        conversation,
        stored_time(exchange.created),
        stored_text(exchange.model),
        None if exchange.system is None else stored_text(exchange.system),
        stored_text(exchange.prompt),
        stored_text(exchange.reasoning),
        stored_text(exchange.reply),
        exchange.finish_reason,
        *((None,) * 3 if usage is None else (usage.prompt, usage.cached, usage.completion)),
        *(
            (None,) * 4
            if timings is None
            else (timings.queued, timings.prompt, timings.first_token, timings.generation)
        ),
    )
    places = ", ".join("?" * len(values))
    connection.execute(
        f"INSERT INTO exchange (conversation, {', '.join(_COLUMNS)}) VALUES ({places})",  # noqa: S608
        values,
    )


def entries(connection: sqlite3.Connection, wanted: Filter) -> list[Entry]:
    """Return the entries that are wanted, the last one last."""
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.model is not None:
        models = [name for (name,) in connection.execute("SELECT DISTINCT model FROM exchange")]
        matching = [name for name in models if wanted.model(name)]
        conditions.append(f"exchange.model IN ({', '.join('?' * len(matching))})")
        values += matching
    if wanted.conversation is not None:
        conditions.append("conversation = ?")
        values.append(wanted.conversation)
    if wanted.words:
        words = [word.casefold() for word in wanted.words]

        def has_words(prompt: str, reply: str) -> bool:
            text = f"{prompt}\n{reply}".casefold()
            return all(word in text for word in words)

        # SQLite's own comparison knows the case of ASCII's letters alone.
        connection.create_function("has_words", 2, has_words, deterministic=True)
        conditions.append("has_words(prompt, reply)")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    columns = ", ".join(f"exchange.{column}" for column in _COLUMNS)
    rows = connection.execute(
        f"SELECT exchange.id, conversation, conversation.name, {columns} FROM exchange"  # noqa: S608
        f" LEFT JOIN conversation ON conversation.id = conversation {where}"
        " ORDER BY exchange.id DESC LIMIT ?",
        [*values, -1 if wanted.count is None else min(wanted.count, sys.maxsize)],
    )
    return [_read(row) for row in rows][::-1]


def totals(connection: sqlite3.Connection) -> tuple[int, datetime | None]:
    """Return how many entries there are, and when the first of them was made."""
    count, first = connection.execute("SELECT count(*), min(created) FROM exchange").fetchone()
    return count, None if first is None else read_time(first)


def delete_all(connection: sqlite3.Connection) -> Deleted:
    """Delete the log, and all conversations without a name."""
    deleted = _delete(connection, "1")
    connection.execute("DELETE FROM conversation WHERE name IS NULL")
    return deleted


def delete_before(connection: sqlite3.Connection, when: datetime) -> Deleted:
    """Delete the entries that are older, with the conversations without a name that they are in."""
    return _delete(connection, "created < ?", stored_time(when))


def delete_entry(connection: sqlite3.Connection, number: int) -> Deleted:
    """Delete one entry, with its conversation where that has no name.

    Raises `ModelNotFound` when there is none.
    """
    deleted = _delete(connection, "id = ?", str(number))  # it may have more digits than SQLite's
    if not deleted.entries:
        raise ModelNotFound(
            f"the log has no entry {number}", hint="`smolctl logs list -n 0` shows all."
        )
    return deleted


def _delete(connection: sqlite3.Connection, which: str, *values: Any) -> Deleted:
    """Delete entries. A conversation without a name has their text as well, and goes with them."""
    affected = connection.execute(
        f"SELECT id, name FROM conversation WHERE id IN (SELECT conversation FROM exchange"  # noqa: S608
        f" WHERE {which})",
        values,
    ).fetchall()
    count = connection.execute(f"DELETE FROM exchange WHERE {which}", values).rowcount  # noqa: S608
    nameless = [(id_,) for id_, name in affected if name is None]
    connection.executemany("DELETE FROM conversation WHERE id = ?", nameless)
    return Deleted(count, tuple(name for _, name in affected if name is not None))


def _read(row: Sequence[Any]) -> Entry:
    id_, conversation, session, created, model, system, prompt, reasoning, reply, reason = row[:10]
    tokens, seconds = row[10:13], row[13:]
    exchange = Exchange(
        model,
        prompt,
        reply,
        system,
        reasoning,
        reason,
        None if None in tokens else Usage(*tokens),
        None if None in seconds else Timings(*seconds),
        read_time(created),
    )
    return Entry(id_, conversation, session, exchange)
