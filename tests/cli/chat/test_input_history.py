"""What was typed in earlier chats, on disk."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from smolctl.cli.chat import input_history
from smolctl.cli.chat.input_history import InputHistory


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


def test_a_disk_that_is_full_costs_nothing_that_was_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f'"{number}"\n' for number in range(1200)))

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        InputHistory(path).trim()
    assert InputHistory(path).load() == [str(number) for number in range(1200)]
    assert [each.name for each in path.parent.iterdir()] == ["chat_history"]


def test_one_who_waited_for_the_lock_adds_to_the_file_that_is_there_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(parents=True)
    path.write_text('"old"\n')
    flock = fcntl.flock

    def replaced_meanwhile(handle: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        (path.parent / "new").write_text('"kept"\n')
        (path.parent / "new").replace(path)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", replaced_meanwhile)
    InputHistory(path).add("last")
    assert InputHistory(path).load() == ["kept", "last"]


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text('"x"\n' * 1200)
    InputHistory(path).trim()
    assert path.is_symlink()
    assert len(InputHistory(path).load()) == 500
