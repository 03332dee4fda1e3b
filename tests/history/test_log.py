"""The log: what comes back of it, what is searched for, and what goes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.conversation import Message
from smolctl.engine.generation import Timings, Usage
from smolctl.errors import ModelNotFound
from smolctl.history import conversations, log
from smolctl.history.database import erasing, reading, writing
from smolctl.history.exchange import Exchange
from smolctl.history.log import Filter

if TYPE_CHECKING:
    from smolctl.history.location import HistoryFiles

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
TALK = (Message("user", "hi"), Message("assistant", "hello"))


def fill(files: HistoryFiles) -> None:
    """Four entries, an hour between them: two of a session, one of a conversation, one of none."""
    with writing(files) as connection:
        for name in ("trip", None):
            conversations.write(connection, None, name=name, model="m", messages=TALK)
        for hour, (prompt, reply, model, conversation) in enumerate(
            [
                ("Trains to Paris?", "Many.", "small", 1),
                ("And to LYON?", "Fewer trains.", "large", 1),
                ("Straße", "street, from Paris", "small", 2),
                ("%", "_", "small", None),
            ]
        ):
            created = NOON + timedelta(hours=hour)
            exchange = Exchange(model, prompt, reply, created=created)
            log.append(connection, exchange, conversation)


def found(files: HistoryFiles, wanted: Filter) -> list[int]:
    with reading(files) as connection:
        return [entry.id for entry in log.entries(connection, wanted)]


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange("m", "p", "r", created=NOON),
        Exchange(
            "m", "p\x00\x1b", "r", "s", "thoughts", "length", Usage(3, 1, 2),
            Timings(0.5, 0.25, 1.0, 2.0), NOON + timedelta(microseconds=7),
        ),
    ],
)  # fmt: skip
def test_what_was_kept_comes_back(files: HistoryFiles, exchange: Exchange) -> None:
    with writing(files) as connection:
        log.append(connection, exchange, None)
    with reading(files) as connection:
        (entry,) = log.entries(connection, Filter())
    assert entry == log.Entry(1, None, None, exchange)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Filter(), [1, 2, 3, 4]),
        (Filter(2), [3, 4]),
        (Filter(words=["paris"]), [1, 3]),
        (Filter(1, words=["paris"]), [3]),
        (Filter(words=["trains", "lyon"]), [2]),
        (Filter(words=["STRASSE"]), [3]),
        (Filter(words=["%"]), [4]),
        (Filter(words=["_"]), [4]),
        (Filter(words=["absent"]), []),
        (Filter(model=lambda name: name == "large"), [2]),
        (Filter(model=lambda name: name == "none"), []),
        (Filter(conversation=1), [1, 2]),
        (Filter(1, conversation=1), [2]),
        (Filter(9, ["paris"], lambda name: name == "small", 2), [3]),
    ],
)
def test_all_that_is_wanted_must_hold(files: HistoryFiles, wanted: Filter, ids: list[int]) -> None:
    fill(files)
    assert found(files, wanted) == ids


def test_an_entry_says_where_it_belongs(files: HistoryFiles) -> None:
    fill(files)
    with reading(files) as connection:
        entries = log.entries(connection, Filter())
        assert log.totals(connection) == (4, NOON)
    assert [(entry.conversation, entry.session) for entry in entries] == [
        (1, "trip"),
        (1, "trip"),
        (2, None),
        (None, None),
    ]


def labels(files: HistoryFiles) -> list[str]:
    with reading(files) as connection:
        return [each.label for each in conversations.summaries(connection)]


def test_all_goes_but_sessions_with_a_name(files: HistoryFiles) -> None:
    fill(files)
    with erasing(files) as connection:
        assert log.delete_all(connection) == log.Deleted(4, ("trip",))
        assert log.totals(connection) == (0, None)
    assert labels(files) == ["trip"]


def test_what_is_older_goes(files: HistoryFiles) -> None:
    fill(files)
    with erasing(files) as connection:
        deleted = log.delete_before(connection, NOON + timedelta(hours=1))
    assert deleted == log.Deleted(1, ("trip",))
    assert found(files, Filter()) == [2, 3, 4]
    assert labels(files) == ["2", "trip"]


def test_one_goes_with_the_conversation_that_has_its_text(files: HistoryFiles) -> None:
    fill(files)
    with erasing(files) as connection:
        assert log.delete_entry(connection, 3) == log.Deleted(1, ())
        with pytest.raises(ModelNotFound):
            log.delete_entry(connection, 3)
    assert found(files, Filter()) == [1, 2, 4]
    assert labels(files) == ["trip"]


def test_what_the_log_has_of_a_deleted_conversation_stays(files: HistoryFiles) -> None:
    fill(files)
    with erasing(files) as connection:
        conversations.remove(connection, [1])
    with reading(files) as connection:
        entries = log.entries(connection, Filter(count=4))
    assert [entry.conversation for entry in entries] == [None, None, 2, None]
