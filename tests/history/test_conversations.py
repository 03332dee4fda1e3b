"""Conversations: what is kept comes back, and two that go on with one destroy nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.engine.conversation import Message, ToolCall
from smolctl.errors import ModelNotFound, UsageError
from smolctl.history import conversations
from smolctl.history.database import reading, writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.history.exchange import Conversation
    from smolctl.history.location import HistoryFiles

ASK, HEAR = Message("user", "Italy's capital?"), Message("assistant", "Rome.")
CALL = ToolCall("call_1", "weather", '{"city": "Rome"}')


def write(
    files: HistoryFiles,
    base: Conversation | None,
    messages: Sequence[Message],
    name: str | None = "trip",
) -> Conversation | None:
    with writing(files) as connection:
        return conversations.write(connection, base, name=name, model="m", messages=messages)


def read(files: HistoryFiles, name: str) -> Conversation:
    with reading(files) as connection:
        return conversations.get(connection, name)


def rows(files: HistoryFiles) -> int:
    """How often a message was written: each gets a row of its own."""
    with reading(files) as connection:
        number: int = connection.execute("SELECT count(*) FROM message").fetchone()[0]
    return number


@pytest.mark.parametrize(
    "messages",
    [
        (Message("system", "Be brief."), ASK, HEAR),
        (ASK, Message("assistant", "", (CALL, CALL)), Message("tool", "sunny", (), "call_1", "w")),
        (Message("user", "\x00 \x1b[31m \U0001f600 \n"), Message("assistant", "")),
        (),
    ],
)
def test_what_was_kept_comes_back(files: HistoryFiles, messages: tuple[Message, ...]) -> None:
    kept = write(files, None, messages)
    found = read(files, "trip")
    assert found == kept
    assert found.messages == messages


def test_halves_of_surrogate_pairs_are_replaced(files: HistoryFiles) -> None:
    write(files, None, (Message("user", "a\udcffb \ud83d\ude00"), HEAR))
    assert read(files, "trip").messages[0].content == "a\ufffdb \U0001f600"


def test_a_turn_is_added_taken_back_and_replaced(files: HistoryFiles) -> None:
    kept = write(files, None, (ASK, HEAR))
    two = (ASK, HEAR, Message("user", "Sure?"), Message("assistant", "Yes."))
    for messages in (two, (ASK, HEAR), (ASK, Message("assistant", "Roma.")), (), two):
        kept = write(files, kept, messages)
        assert read(files, "trip").messages == messages
        assert rows(files) == len(messages)
    assert read(files, "trip") == kept


def test_two_that_go_on_with_one_have_one_each_then(files: HistoryFiles) -> None:
    base = write(files, None, (ASK, HEAR))
    first = (ASK, HEAR, Message("user", "first"), HEAR)
    second = (ASK, HEAR, Message("user", "second"), HEAR)
    write(files, base, first)
    branch = write(files, base, second)
    assert branch is not None
    assert branch.name is None
    assert read(files, "trip").messages == first
    assert read(files, str(branch.id)).messages == second
    branch = write(files, branch, (*second, ASK))  # which goes on by itself
    assert branch is not None
    assert read(files, str(branch.id)).messages == (*second, ASK)
    assert read(files, "trip").messages == first


def test_a_name_that_was_taken_meanwhile_stays_with_the_first(files: HistoryFiles) -> None:
    write(files, None, (ASK,))
    second = write(files, None, (HEAR,))
    assert second is not None
    assert second.name is None
    assert read(files, "trip").messages == (ASK,)


def test_one_that_was_deleted_meanwhile_comes_back_only_under_its_name(
    files: HistoryFiles,
) -> None:
    named, nameless = write(files, None, (ASK,)), write(files, None, (ASK,), None)
    assert named is not None
    assert nameless is not None
    with writing(files) as connection:
        conversations.remove(connection, [named.id, nameless.id])
    assert write(files, nameless, (ASK, HEAR), None) is None
    again = write(files, named, (ASK, HEAR))
    assert again is not None
    assert again.name == "trip"
    assert again.id not in (named.id, nameless.id)  # no number is given twice
    with reading(files) as connection:
        assert [each.label for each in conversations.summaries(connection)] == ["trip"]


def test_a_number_is_a_name_that_cannot_be_new(files: HistoryFiles) -> None:
    kept = write(files, None, (ASK,), None)
    assert kept is not None
    with reading(files) as connection:
        assert conversations.find(connection, str(kept.id)) == kept
        assert conversations.find(connection, "new") is None
        with pytest.raises(ModelNotFound):
            conversations.find(connection, "77")
        with pytest.raises(ModelNotFound):
            conversations.get(connection, "new")


@pytest.mark.parametrize("name", ["", ".x", "-x", "a b", "a/b", "a\x1b", "a\n", "ü", "x" * 65, "²"])
def test_what_is_no_name_is_refused(files: HistoryFiles, name: str) -> None:
    with reading(files) as connection, pytest.raises(UsageError, match="no name of a session"):
        conversations.find(connection, name)


@pytest.mark.parametrize("name", ["a", "_a", "2026-trip_to.Rome", "x" * 64])
def test_names_are_those_of_tags(name: str) -> None:
    assert conversations.check_name(name) == name


def test_the_list_has_the_one_that_changed_last_first(files: HistoryFiles) -> None:
    first = write(files, None, (Message("system", "s"), ASK, HEAR), "first")
    write(files, None, (HEAR,), "second")
    write(files, first, (Message("system", "s"), ASK, HEAR, ASK, HEAR), "first")
    with reading(files) as connection:
        found = conversations.summaries(connection)
        last = conversations.latest(connection)
    assert [(each.name, each.turns, each.opening) for each in found] == [
        ("first", 2, ASK.content),
        ("second", 0, ""),
    ]
    assert last is not None
    assert last.name == "first"
