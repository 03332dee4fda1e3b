"""Where the turns of a run go: nowhere, to the log, to a session, on with the last one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from smolctl.cli.invocation import Invocation
from smolctl.cli.output import Output
from smolctl.cli.record import Record, check_continued, open_record
from smolctl.engine.conversation import Message
from smolctl.errors import IntegrityError, ModelNotFound, UsageError
from smolctl.history import conversations, log
from smolctl.history.database import erasing, reading
from smolctl.history.exchange import Exchange
from smolctl.history.location import HistoryFiles
from smolctl.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.history.exchange import Conversation

SYSTEM = Message("system", "Be brief.")


@pytest.fixture
def files(tmp_path: Path) -> HistoryFiles:
    return HistoryFiles(tmp_path / "state" / "smolctl")


@pytest.fixture
def invocation(files: HistoryFiles) -> Invocation:
    settings = Settings.from_environment({"HOME": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere"})
    return Invocation(Output(), replace(settings, state=files.folder))


def turn(prompt: str) -> tuple[Message, Message]:
    return Message("user", prompt), Message("assistant", f"{prompt}!")


def say(record: Record, prompt: str, model: str = "m") -> tuple[Message, ...]:
    """Have another turn in what `record` has of before, as a one-shot does."""
    messages = (*record.messages, *turn(prompt))
    record.keep(messages, Exchange(model, prompt, f"{prompt}!"))
    return messages


def logged(files: HistoryFiles) -> list[tuple[str, int | None]]:
    with reading(files) as connection:
        found = log.entries(connection, log.Filter())
    return [(entry.exchange.prompt, entry.conversation) for entry in found]


def kept(files: HistoryFiles, name: str) -> Conversation:
    with reading(files) as connection:
        return conversations.get(connection, name)


def labels(files: HistoryFiles) -> list[str]:
    with reading(files) as connection:
        return [each.label for each in conversations.summaries(connection)]


def test_nothing_is_kept_unless_it_was_said(files: HistoryFiles, invocation: Invocation) -> None:
    record = open_record(invocation, "m", session=None, latest=False)
    say(record, "a")
    files.turn_log_on()
    say(record, "b")  # the log begins with the next run
    assert (record.messages, record.name) == ((), None)
    assert not files.database.exists()


def test_a_run_that_keeps_nothing_opens_no_database() -> None:
    program = (
        "import sys\n"
        "from smolctl.cli import run, record\n"
        "from smolctl.cli.invocation import Invocation\n"
        "from smolctl.cli.output import Output\n"
        "from smolctl.settings import Settings\n"
        "invocation = Invocation(Output(), Settings.from_environment({'HOME': '/nowhere'}))\n"
        "record.open_record(invocation, 'm', session=None, latest=False).keep((), None)\n"
        "sys.exit('sqlite3' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_log_keeps_each_prompt_and_a_conversation_to_go_on_with(
    files: HistoryFiles, invocation: Invocation
) -> None:
    files.turn_log_on()
    say(open_record(invocation, "m", session=None, latest=False), "a")
    say(open_record(invocation, "m", session=None, latest=False), "b")
    record = open_record(invocation, "m", session=None, latest=True)
    assert record.messages == turn("b")
    assert record.name is None
    messages = say(record, "c")
    assert logged(files) == [("a", 1), ("b", 2), ("c", 2)]
    assert kept(files, "2").messages == messages


def test_a_session_is_kept_without_the_log_and_goes_on(
    files: HistoryFiles, invocation: Invocation
) -> None:
    record = open_record(invocation, "typed", session="trip", latest=False)
    assert (record.messages, record.name) == ((), "trip")
    record.keep((SYSTEM,))  # nothing was answered yet
    assert not files.database.exists()
    say(record, "a", model="ai/m:latest")
    assert kept(files, "trip").model == "ai/m:latest"
    again = open_record(invocation, "m", session="trip", latest=False)
    assert again.messages == turn("a")
    again.keep(again.messages)
    assert kept(files, "trip").model == "ai/m:latest"  # nobody else answered
    messages = say(again, "b")
    last = open_record(invocation, "m", session=None, latest=True)
    assert (last.messages, last.name) == (messages, "trip")
    assert logged(files) == []
    assert kept(files, "trip").model == "m"


def test_a_chat_takes_back_and_replaces_what_was_said_but_not_in_the_log(
    files: HistoryFiles, invocation: Invocation
) -> None:
    files.turn_log_on()
    record = open_record(invocation, "m", session="trip", latest=False)
    say(record, "a")
    for messages in ((), (SYSTEM,), (SYSTEM, *turn("b"))):
        record.keep(messages)
        assert kept(files, "trip").messages == messages
    assert logged(files) == [("a", 1)]


def test_a_session_may_be_named_by_its_number(files: HistoryFiles, invocation: Invocation) -> None:
    files.turn_log_on()
    say(open_record(invocation, "m", session=None, latest=False), "a")
    record = open_record(invocation, "m", session="1", latest=False)
    say(record, "b")
    assert labels(files) == ["1"]
    assert kept(files, "1").messages == (*turn("a"), *turn("b"))
    with pytest.raises(ModelNotFound, match="no conversation 2"):
        open_record(invocation, "m", session="2", latest=False)


def test_with_nothing_to_go_on_with_it_says_how_to_keep_something(
    invocation: Invocation, files: HistoryFiles
) -> None:
    with pytest.raises(ModelNotFound) as caught:
        open_record(invocation, "m", session=None, latest=True)
    assert "--session NAME" in (caught.value.hint or "")
    assert not files.folder.exists()
    with pytest.raises(UsageError, match="contradict"):
        open_record(invocation, "m", session="a", latest=True)
    with pytest.raises(UsageError, match="no name of a session"):
        open_record(invocation, "m", session="../a", latest=False)


def test_the_log_ends_at_once_when_it_is_turned_off(
    files: HistoryFiles, invocation: Invocation
) -> None:
    files.turn_log_on()
    nameless = open_record(invocation, "m", session=None, latest=False)
    named = open_record(invocation, "m", session="trip", latest=False)
    say(nameless, "a")
    say(named, "b")
    files.turn_log_off()
    nameless.keep((*turn("a"), *turn("c")), Exchange("m", "c", ""))
    named.keep((*turn("b"), *turn("d")), Exchange("m", "d", ""))
    files.turn_log_on()
    nameless.keep((*turn("a"), *turn("c"), *turn("e")), Exchange("m", "e", ""))
    assert logged(files) == [("a", 1), ("b", 2)]
    assert kept(files, "1").messages == turn("a")
    assert kept(files, "trip").messages == (*turn("b"), *turn("d"))


def test_what_was_deleted_does_not_come_back_with_the_next_turn(
    files: HistoryFiles, invocation: Invocation
) -> None:
    files.turn_log_on()
    record = open_record(invocation, "m", session=None, latest=False)
    say(record, "a")
    with erasing(files) as connection:
        log.delete_all(connection)
    for prompt in ("b", "c"):
        record.keep((*turn("a"), *turn(prompt)), Exchange("m", prompt, ""))
    assert logged(files) == [("b", None), ("c", None)]
    assert labels(files) == []


def test_two_runs_in_one_session_destroy_nothing(
    files: HistoryFiles, invocation: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    say(open_record(invocation, "m", session="trip", latest=False), "a")
    first = open_record(invocation, "m", session="trip", latest=False)
    second = open_record(invocation, "m", session="trip", latest=False)
    say(first, "b")
    assert capsys.readouterr().err == ""
    messages = say(second, "c")
    assert "conversation 2" in capsys.readouterr().err
    assert second.name is None
    second.keep((*messages, *turn("d")))
    assert capsys.readouterr().err == ""  # it is said once
    assert kept(files, "trip").messages == (*turn("a"), *turn("b"))
    assert kept(files, "2").messages == (*turn("a"), *turn("c"), *turn("d"))


def test_two_runs_that_go_on_with_one_without_a_name_destroy_nothing(
    files: HistoryFiles, invocation: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    files.turn_log_on()
    say(open_record(invocation, "m", session=None, latest=False), "a")
    first = open_record(invocation, "m", session=None, latest=True)
    second = open_record(invocation, "m", session=None, latest=True)
    say(first, "b")
    say(second, "c")
    assert "conversation 2" in capsys.readouterr().err
    assert logged(files) == [("a", 1), ("b", 1), ("c", 2)]


def test_what_cannot_be_kept_is_said_once_and_loses_no_answer(
    files: HistoryFiles, invocation: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    files.turn_log_on()
    files.database.write_bytes(b"no database at all" * 100)
    record = open_record(invocation, "m", session=None, latest=False)
    say(record, "a")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(files.database) in err
    say(record, "b")
    assert capsys.readouterr().err == ""
    files.database.unlink()
    say(record, "c")
    assert logged(files) == [("c", 1)]


def test_a_session_in_a_damaged_file_fails_before_anything_is_asked(
    files: HistoryFiles, invocation: Invocation
) -> None:
    files.make(files.database)
    files.database.write_bytes(b"no database at all" * 100)
    with pytest.raises(IntegrityError):
        open_record(invocation, "m", session="trip", latest=False)


def test_a_prompt_in_the_place_of_the_model_is_told_what_to_write(
    invocation: Invocation,
) -> None:
    say(open_record(invocation, "m", session="trip", latest=False), "a", model="ai/smollm2")

    for word in ("again", "And now in French?"):
        with pytest.raises(UsageError, match="no such model here") as caught:
            check_continued(invocation, word)
        assert "`smolctl model run -c ai/smollm2 PROMPT`" in (caught.value.hint or "")


def test_another_model_that_goes_on_is_told_of(
    invocation: Invocation, capsys: pytest.CaptureFixture[str]
) -> None:
    record = open_record(invocation, "m", session="trip", latest=False)
    say(record, "a", model="model.gguf")

    check_continued(invocation, "./model.gguf")
    assert capsys.readouterr().err == ""
    check_continued(invocation, "./other.gguf")
    assert capsys.readouterr().err == (
        "./other.gguf goes on with a conversation with model.gguf.\n"
    )
