"""What was typed in earlier chats, on disk."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from smolctl.cli.chat import input_history
from smolctl.cli.chat.input_history import InputHistory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "smolctl" / "chat_history"


def test_it_is_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        InputHistory(path).add("secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o755)
    InputHistory(path).add("secret")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_added_is_loaded_in_its_order(path: Path) -> None:
    texts = ["one", "two\nlines", "Grüße \udcff", '"""']
    for text in texts:
        InputHistory(path).add(text)
    assert InputHistory(path).load() == texts


def test_nothing_was_kept_yet(path: Path) -> None:
    InputHistory(path).trim()
    assert InputHistory(path).load() == []
    assert not path.exists()


def test_what_nobody_here_wrote_is_left_out(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b'"one"\n7\n\xff\n{"a"\n' + b"[" * 100_000 + b'\n"two"\n"cut o')
    assert InputHistory(path).load() == ["one", "two"]


def test_the_oldest_go_when_there_are_too_many(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f'"{number}"\n' for number in range(1200)))
    InputHistory(path).trim()
    assert InputHistory(path).load() == [str(number) for number in range(700, 1200)]


def test_its_size_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_history, "_MOST_BYTES", 1000)
    history = InputHistory(path)
    for number in range(100):
        history.add(f"{number:020}")
    assert path.stat().st_size <= 1000
    assert history.load()[-1] == f"{99:020}"


def test_a_text_that_was_pasted_whole_is_not_kept(path: Path) -> None:
    InputHistory(path).add("x" * 20_000)
    assert InputHistory(path).load() == []


def test_it_may_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "history").symlink_to("/dev/null")
    history = InputHistory(tmp_path / "history")
    history.add("secret")
    history.trim()
    assert history.load() == []
