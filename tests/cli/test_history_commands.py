"""`smolctl logs` and `smolctl model sessions`, as commands."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary, complete
from smolctl.cli.output import Output
from smolctl.engine.conversation import Message
from smolctl.engine.generation import Timings, Usage
from smolctl.history import conversations, log
from smolctl.history.database import writing
from smolctl.history.exchange import Exchange
from smolctl.history.location import HistoryFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[str, str]]


class Terminal(io.StringIO):
    """Lines that a person types."""

    def isatty(self) -> bool:
        return True


RED = "\x1b[31m"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HistoryFiles:
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "SMOLCTL_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return HistoryFiles(tmp_path / "smolctl")


@pytest.fixture
def run(files: HistoryFiles, capsys: pytest.CaptureFixture[str]) -> Run:
    del files

    def run(line: str, expect: int = 0) -> tuple[str, str]:
        code = boundary.run(line.split())
        out, err = capsys.readouterr()
        assert code == expect, err
        return out, err

    return run


@pytest.fixture
def filled(files: HistoryFiles) -> HistoryFiles:
    """Five entries, the first two of the session `trip`, the next of a conversation of its own."""
    files.turn_log_on()
    with writing(files) as connection:
        trip = (Message("system", "s"), Message("user", "hi"), Message("assistant", f"{RED}yo"))
        for name in ("trip", None):
            conversations.write(connection, None, name=name, model="ai/a:latest", messages=trip)
        now = datetime.now(timezone.utc)
        for number, (model, conversation) in enumerate(
            [("ai/a:latest", 1), ("ai/a:v2", 1), ("docker.io/ai/a:latest", 2), ("b.gguf", None),
             ("ai/other:latest", None)], 1,
        ):  # fmt: skip
            exchange = Exchange(
                model, f"prompt {number}", f"{RED}reply {number}", finish_reason="stop",
                usage=Usage(3, 1, 2), timings=Timings(0.0, 0.5, 0.6, 1.0),
                created=now - timedelta(days=10 - number),
            )  # fmt: skip
            log.append(connection, exchange, conversation)
    return files


@pytest.mark.usefixtures("files")
def test_the_log_is_turned_on_and_off(run: Run) -> None:
    for line, on in (
        ("logs on", True),
        ("logs on", True),
        ("logs off", False),
        ("logs off", False),
    ):
        out, err = run(line)
        assert out == ""
        assert ("The log is on" if on else "The log is off") in err
        assert json.loads(run("logs status --json")[0])["on"] is on


def test_the_status_says_how_much_there_is(run: Run, filled: HistoryFiles) -> None:
    status = json.loads(run("logs status --json")[0])
    assert (status["entries"], status["conversations"]) == (5, 2)
    assert status["path"] == str(filled.database) == run("logs path")[0].strip()
    assert status["size"] > 4096
    assert status["since"].endswith("Z")
    assert f"Entries:       5 since {status['since']}\n" in run("logs status")[0]


def test_nothing_is_made_by_looking(run: Run, files: HistoryFiles) -> None:
    for line in ("logs", "logs list --json", "logs status", "logs path", "model sessions ls"):
        run(line)
    run("logs list -r", expect=3)
    run("model sessions show trip", expect=3)
    run("model sessions rm --all --yes")
    assert not files.folder.exists()


def ids(run: Run, line: str) -> list[int]:
    return [entry["id"] for entry in json.loads(run(f"logs list --json {line}")[0])]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", [3, 4, 5]),
        ("-n 1", [5]),
        ("-n 0", [1, 2, 3, 4, 5]),
        ("-n 0 -q PROMPT", [1, 2, 3, 4, 5]),
        ("-q 4", [4]),
        ("-m a -n 0", [1, 2, 3]),
        ("-m ai/a -n 0", [1, 2, 3]),
        ("-m A:latest", [1, 3]),
        ("-m docker.io/ai/a:v2", [2]),
        ("-m ./folder/b.gguf", [4]),
        ("-m b.gguf", [4]),
        ("-m ai/none", []),
        ("--session trip", [1, 2]),
        ("--session 2", [3]),
        ("-c", [3]),
        ("--session trip -n 1", [2]),
    ],
)
def test_the_list_has_what_was_asked_for_the_last_one_last(
    run: Run, line: str, wanted: list[int]
) -> None:
    assert ids(run, line) == wanted


@pytest.mark.usefixtures("filled")
def test_several_words_are_all_searched_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(["logs", "list", "-q", "reply 2", "--json"]) == 0
    assert [entry["id"] for entry in json.loads(capsys.readouterr().out)] == [2]


@pytest.mark.usefixtures("filled")
def test_an_entry_in_json_has_all_that_is_known(run: Run) -> None:
    out, _ = run("logs list --json -n 0")
    entry = json.loads(out)[0]
    assert RED not in out
    assert entry["reply"] == f"{RED}reply 1"
    assert (entry["conversation"], entry["session"], entry["finish_reason"]) == (1, "trip", "stop")
    assert entry["usage"] == {"prompt_tokens": 3, "cached_tokens": 1, "completion_tokens": 2}
    assert entry["timings"]["generation_seconds"] == 1.0
    assert entry["created"].endswith("Z")


@pytest.mark.usefixtures("filled")
def test_the_list_for_people_has_no_control_characters(run: Run) -> None:
    out, err = run("logs")  # which is `logs list`
    assert "# 3 · docker.io/ai/a:latest" in out
    assert "## Prompt\n\nprompt 3\n\n## Reply\n\n[31mreply 3\n" in out
    assert "\x1b" not in out
    assert out.index("prompt 3") < out.index("prompt 5")
    assert err == ""
    assert run("logs -n 1")[0].count("## Prompt") == 1


@pytest.mark.usefixtures("filled")
def test_the_last_reply_alone_is_as_it_came(run: Run) -> None:
    assert run("logs list -r")[0] == f"{RED}reply 5\n"
    assert run("logs -r -m ai/a:v2")[0] == f"{RED}reply 2\n"
    run("logs list -r -q absent", expect=3)
    assert run("logs list -q absent")[1].startswith("No entry has absent in it; ")
    run("logs list -r --json", expect=2)
    run("logs list -c --session trip", expect=2)


@pytest.mark.usefixtures("filled")
def test_nothing_is_deleted_without_a_yes(run: Run) -> None:
    for line in ("logs rm", "logs rm --older-than 1d", "model sessions rm --all"):
        assert "--yes" in run(line, expect=2)[1]
    assert "model sessions rm --all" not in run("model sessions rm", expect=2)[1].splitlines()[0]
    run("logs rm 1 --older-than 1d", expect=2)
    run("logs rm --older-than 1y --yes", expect=2)
    run("logs rm --older-than 999999w --yes", expect=2)
    assert ids(run, "-n 0") == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "left", "labels"),
    [
        ("logs rm --yes", [], ["trip"]),
        ("logs rm --older-than 7d --yes", [4, 5], ["trip"]),
        ("logs rm --older-than 30d --yes", [1, 2, 3, 4, 5], ["2", "trip"]),
        ("logs rm 1 4", [2, 3, 5], ["2", "trip"]),
        ("logs remove 3", [1, 2, 4, 5], ["trip"]),
        ("model sessions rm trip", [1, 2, 3, 4, 5], ["2"]),
        ("model sessions remove 2 trip", [1, 2, 3, 4, 5], []),
        ("model sessions rm --all --yes", [1, 2, 3, 4, 5], []),
    ],
)
def test_what_was_named_is_deleted(run: Run, line: str, left: list[int], labels: list[str]) -> None:
    run(line)
    assert ids(run, "-n 0") == left
    assert run("model sessions ls -q --all")[0].split() == labels


@pytest.mark.usefixtures("filled")
def test_what_the_log_loses_and_a_session_has_is_said(run: Run) -> None:
    out, err = run("logs rm 1 2 3")
    assert out == "Deleted: 3 entries\n"
    assert "trip" in err
    assert run("logs rm 4") == ("Deleted: 1 entry\n", "")
    run("logs rm 4", expect=3)


@pytest.mark.usefixtures("filled")
def test_one_that_is_not_there_keeps_no_other_from_being_deleted(run: Run) -> None:
    out, err = run("model sessions rm nobody trip", expect=3)
    assert out == "Deleted: trip\n"
    assert "no session nobody" in err


@pytest.mark.usefixtures("filled")
def test_a_person_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("no\ny\n"))
    out, err = run("logs rm")
    assert out == ""
    assert "[y/N]" in err
    assert "Nothing was deleted" in err
    assert run("logs rm")[0] == "Deleted: 5 entries\n"


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("logs rm 4", "Delete entry 4 of the log for good? [y/N] "),
        ("logs rm 4 2", "Delete entries 4, 2 of the log for good? [y/N] "),
        ("model sessions rm trip", "Delete what was said in trip for good? [y/N] "),
    ],
)
def test_a_person_is_asked_of_what_was_named_as_well(
    run: Run, monkeypatch: pytest.MonkeyPatch, line: str, question: str
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\ny\n"))
    assert run(line) == ("", f"{question}Nothing was deleted.\n")
    assert "Deleted: " in run(line)[0]


@pytest.mark.usefixtures("filled")
def test_numbers_may_have_any_number_of_digits(run: Run) -> None:
    run(f"logs rm {10**30}", expect=3)
    assert len(json.loads(run(f"logs list --json -n {10**30}")[0])) == 5


@pytest.mark.usefixtures("filled")
def test_the_sessions_are_listed(run: Run) -> None:
    headers, first, second = run("model sessions list --all")[0].splitlines()
    assert headers.split("  ")[0] == "NAME"
    assert first.split() == ["2", "ai/a:latest", "1", "just", "now", "hi"]
    assert second.split()[0] == "trip"
    assert run("model sessions ls -q -a")[0] == "2\ntrip\n"
    listed = json.loads(run("model sessions ls --json --all")[0])
    assert [(each["id"], each["name"], each["turns"]) for each in listed] == [
        (2, None, 1),
        (1, "trip", 1),
    ]


def test_a_prompt_that_the_log_alone_keeps_hides_no_session(
    run: Run, filled: HistoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (Message("user", "hi"), Message("assistant", "yo"))
    with writing(filled) as connection:
        conversations.write(connection, None, name=None, model="m", messages=said * 2)
    for flag, names in (("", {"3", "trip"}), ("--all", {"2", "3", "trip"})):
        assert set(run(f"model sessions ls -q {flag}")[0].split()) == names
        assert len(json.loads(run(f"model sessions ls --json {flag}")[0])) == len(names)
        assert {name for name, _ in complete.names_of("sessions", "")} == {"3", "trip"}
    monkeypatch.setattr(Output, "stdout_is_terminal", True)
    assert run("model sessions ls")[1] == "1 of a single prompt more; --all lists them.\n"


@pytest.mark.usefixtures("files")
def test_an_empty_log_says_how_to_turn_it_on(run: Run) -> None:
    out, err = run("logs")
    assert out == ""
    assert err == "Nothing, and the log is off: `smolctl logs on` keeps prompts and replies.\n"
    run("logs on")
    assert "logs status" in run("logs")[1]
    assert run("logs --json") == ("[]\n", "")


@pytest.mark.usefixtures("filled")
def test_a_session_is_shown(run: Run) -> None:
    out, _ = run("model sessions show trip")
    assert "## System\n\ns\n\n## Prompt\n\nhi\n\n## Reply\n\n[31myo\n" in out
    assert "\x1b" not in out
    shown = json.loads(run("model sessions show trip --json")[0])
    assert (shown["name"], shown["model"]) == ("trip", "ai/a:latest")
    assert shown["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": f"{RED}yo"},
    ]
    run("model sessions show nobody", expect=3)


def test_a_damaged_file_has_its_exit_code(run: Run, files: HistoryFiles) -> None:
    files.make(files.database)
    files.database.write_bytes(b"no database at all" * 100)
    for line in ("logs list", "logs status", "model sessions ls", "logs rm --yes"):
        out, err = run(line, expect=6)
        assert out == ""
        assert str(files.database) in err.splitlines()[0]
        assert len(err.splitlines()) == 2
