"""The file of history: who may read it, what becomes of it when something goes wrong."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.conversation import Message
from smolctl.errors import IntegrityError, StorageError
from smolctl.history import conversations, database, log
from smolctl.history.database import erasing, reading, writing
from smolctl.history.exchange import Exchange
from smolctl.history.location import HistoryFiles
from smolctl.history.log import Filter
from smolctl.history.schema import MIGRATIONS
from tests.support.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the secret that nobody may find"


def keep(files: HistoryFiles, prompt: str = "hi", name: str | None = None) -> None:
    messages = (Message("user", prompt), Message("assistant", "hello"))
    with writing(files) as connection:
        kept = conversations.write(connection, None, name=name, model="m", messages=messages)
        assert kept is not None
        log.append(connection, Exchange("m", prompt, "hello"), kept.id)


def prompts(files: HistoryFiles) -> list[str]:
    with reading(files) as connection:
        return [entry.exchange.prompt for entry in log.entries(connection, Filter())]


def test_reading_what_is_not_there_finds_nothing_and_makes_nothing(files: HistoryFiles) -> None:
    assert prompts(files) == []
    with erasing(files) as connection:
        log.delete_all(connection)
    assert not files.folder.parent.exists()


def test_nobody_else_may_read_any_of_it_at_any_moment(files: HistoryFiles) -> None:
    files.folder.mkdir(parents=True, mode=0o755)
    before = os.umask(0)
    try:
        with writing(files) as connection:
            log.append(connection, Exchange("m", SECRET, "no"), None)
            seen = {path.name: path.stat().st_mode for path in files.folder.iterdir()}
    finally:
        os.umask(before)
    assert set(seen) >= {"history.db", "history.db-wal", "history.db-shm"}
    assert {stat.S_IMODE(mode) for mode in seen.values()} == {0o600}
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


def test_the_log_is_on_while_its_marker_is_there(files: HistoryFiles) -> None:
    assert not files.log_is_on
    files.turn_log_on()
    files.turn_log_on()
    assert files.log_is_on
    assert stat.S_IMODE(files.marker.stat().st_mode) == 0o600
    files.turn_log_off()
    files.turn_log_off()
    assert not files.log_is_on


def test_a_block_that_fails_changes_nothing(files: HistoryFiles) -> None:
    keep(files, "first")

    def fail() -> None:
        with writing(files) as connection:
            log.append(connection, Exchange("m", "second", ""), None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert prompts(files) == ["first"]


def test_eight_processes_lose_nothing(files: HistoryFiles) -> None:
    count = 10
    line = [sys.executable, "-m", "tests.history.writer", str(files.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    writers = [subprocess.Popen([*line, f"n{i}", str(count)], **pipes) for i in range(8)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()  # all begin with a file that is not there yet
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0] * 8
    expected = {f"n{i} asks {number}" for i in range(8) for number in range(count)}
    assert len(prompts(files)) == 8 * count
    assert set(prompts(files)) == expected
    with reading(files) as connection:
        found = conversations.summaries(connection)
    assert {(each.name, each.turns) for each in found} == {(f"n{i}", count) for i in range(8)}


def test_a_file_of_a_later_version_is_left_alone(files: HistoryFiles) -> None:
    keep(files)
    with closing(sqlite3.connect(files.database)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = files.database.read_bytes()
    with pytest.raises(StorageError, match="a later smolctl wrote"):
        keep(files)
    with pytest.raises(StorageError, match="a later smolctl wrote"):
        prompts(files)
    assert files.database.read_bytes() == before


def test_a_file_of_an_earlier_version_is_brought_up_to_date_with_what_is_in_it(
    files: HistoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(files, "before")
    later = (*MIGRATIONS, ("ALTER TABLE exchange ADD COLUMN mood TEXT DEFAULT 'good'",))
    monkeypatch.setattr(database, "MIGRATIONS", later)
    assert prompts(files) == ["before"]
    with reading(files) as connection:
        assert connection.execute("SELECT mood FROM exchange").fetchall() == [("good",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(later),)


def test_a_step_to_the_next_version_that_fails_leaves_the_version_before(
    files: HistoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(files, "before")
    broken = (*MIGRATIONS, ("ALTER TABLE exchange ADD COLUMN mood", "ALTER TABLE absent ADD x"))
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(IntegrityError):
        prompts(files)
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS)
    assert prompts(files) == ["before"]


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x00" * 5000])
def test_a_damaged_file_is_named_and_left_as_it_is(files: HistoryFiles, content: bytes) -> None:
    files.make(files.database)
    files.database.write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        prompts(files)
    assert str(files.database) in caught.value.message
    with pytest.raises(IntegrityError):
        keep(files)
    assert files.database.read_bytes() == content


def test_a_file_with_damaged_pages_is_an_error_of_ours(files: HistoryFiles) -> None:
    keep(files)
    content = bytearray(files.database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    files.database.write_bytes(content)
    with pytest.raises(IntegrityError):
        prompts(files)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE conversation SET created = 'yesterday'",
        "UPDATE message SET tool_calls = '{'",
        "UPDATE message SET tool_calls = '[[1]]'",
        "UPDATE message SET tool_calls = '7'",
        "UPDATE message SET content = CAST(x'ff' AS TEXT)",
        "DROP TABLE message",
    ],
)
def test_values_that_nobody_wrote_so_are_an_error_of_ours(
    files: HistoryFiles, statement: str
) -> None:
    keep(files)
    with closing(sqlite3.connect(files.database)) as connection, connection:
        connection.execute(statement)
    with pytest.raises(IntegrityError), reading(files) as connection:
        conversations.latest(connection)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files = HistoryFiles(tmp_path / "file" / "smolctl")
    with pytest.raises(StorageError, match=r"history\.db"):
        keep(files)
    with pytest.raises(StorageError, match="log-prompts"):
        files.turn_log_on()
    assert not files.log_is_on


def test_a_full_disk_loses_only_what_did_not_fit(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        files = HistoryFiles(disk.folder)
        keep(files, "small")
        with pytest.raises(StorageError, match="full"):
            keep(files, "large " * 100_000)
        assert prompts(files) == ["small"]
        disk.grow("4m")
        keep(files, "large " * 100_000)
        assert len(prompts(files)) == 2


@pytest.mark.parametrize("how", ["all", "old", "one"])
def test_what_was_deleted_is_in_no_file_any_more(files: HistoryFiles, how: str) -> None:
    keep(files, "stays", "named")
    with closing(sqlite3.connect(files.database)) as other:  # who has it open, as sqlite3 does
        other.execute("SELECT 1 FROM exchange").fetchall()
        keep(files, SECRET)
        with writing(files) as connection:
            log.append(connection, Exchange("m", f"{SECRET} again" * 2000, ""), None)
        assert found_in(files, SECRET)
        with erasing(files) as connection:
            if how == "all":
                log.delete_all(connection)
            elif how == "old":
                connection.execute("UPDATE exchange SET created = '2020' WHERE prompt <> 'stays'")
                log.delete_before(connection, datetime(2021, 1, 1, tzinfo=timezone.utc))
            else:
                for number in (2, 3):
                    log.delete_entry(connection, number)
        assert not found_in(files, SECRET)
    assert files.database.stat().st_size < 50_000
    assert prompts(files) == ([] if how == "all" else ["stays"])


def test_who_reads_just_then_keeps_what_was_deleted_and_that_is_said(
    files: HistoryFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0)
    keep(files, SECRET)
    with closing(sqlite3.connect(files.database, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM exchange").fetchall()
        with pytest.raises(StorageError, match="another program"), erasing(files) as connection:
            log.delete_all(connection)
    assert prompts(files) == []
    with erasing(files):
        pass
    assert not found_in(files, SECRET)


def found_in(files: HistoryFiles, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in files.folder.iterdir())
