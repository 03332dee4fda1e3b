"""Where workers are found: whose folder it is, who may enter, how long its path may be."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import StorageError, UsageError
from smolctl.runner.address import WorkerFolder
from smolctl.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

ID = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(
        Settings.from_environment({}),
        home=tmp_path / "models",
        runtime=tmp_path / "run",
        state=tmp_path / "state",
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_each_cache_has_a_folder_of_its_own(settings: Settings) -> None:
    one = WorkerFolder.of(settings)
    other = WorkerFolder.of(replace(settings, home=settings.home / "other"))
    assert one == WorkerFolder.of(settings)
    assert one.folder != other.folder
    assert one.logs != other.logs


def test_a_model_is_found_by_its_id() -> None:
    folder = WorkerFolder.of(replace(Settings.from_environment({}), runtime=_path("/run/x")))
    address = folder.address(ID)
    assert address.socket.name == "0123456789ab.sock"
    assert address.lock.parent == address.socket.parent == folder.folder
    assert address.log.parent == folder.logs


def test_folders_are_for_their_owner_alone(settings: Settings) -> None:
    before = os.umask(0)
    try:
        WorkerFolder.of(settings).make()
        WorkerFolder.of(settings).make()
    finally:
        os.umask(before)
    folder = WorkerFolder.of(settings)
    assert {mode(path) for path in (folder.base, folder.folder, folder.logs)} == {0o700}


@pytest.mark.parametrize("open_to", [0o750, 0o701, 0o777])
def test_a_folder_that_others_may_enter_is_refused(settings: Settings, open_to: int) -> None:
    settings.runtime.mkdir()
    settings.runtime.chmod(open_to)
    with pytest.raises(StorageError, match="others may enter"):
        WorkerFolder.of(settings).make()


def test_a_folder_of_another_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.runtime.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: settings.runtime.stat().st_uid + 1)
    with pytest.raises(StorageError, match="not a folder of yours"):
        WorkerFolder.of(settings).make()


def test_a_link_to_a_folder_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    settings.runtime.symlink_to(tmp_path / "theirs")
    with pytest.raises(StorageError, match="not a folder of yours"):
        WorkerFolder.of(settings).make()
    settings.runtime.unlink()
    settings.runtime.write_text("a file")
    with pytest.raises(StorageError):
        WorkerFolder.of(settings).make()


def test_what_is_not_there_is_no_mistake(settings: Settings) -> None:
    folder = WorkerFolder.of(settings)
    folder.check()
    assert folder.sockets() == folder.locks() == []


def test_a_path_that_no_socket_can_have_says_so(settings: Settings, tmp_path: Path) -> None:
    folder = WorkerFolder.of(replace(settings, runtime=tmp_path / ("x" * 100)))
    with pytest.raises(UsageError, match="too long") as caught:
        folder.address(ID)
    assert "XDG_RUNTIME_DIR" in str(caught.value.hint)


def test_folders_of_other_environments_are_looked_at_too(
    settings: Settings, tmp_path: Path
) -> None:
    WorkerFolder.of(settings).make()
    cron = WorkerFolder.of(replace(settings, runtime=tmp_path / "cron"))
    cron.make()
    for folder in (WorkerFolder.of(settings), cron):
        (folder.folder / "0123456789ab.sock").touch()
        (folder.folder / "0123456789ab.lock").touch()
    assert len(WorkerFolder.of(settings).sockets()) == len(cron.locks()) == 2
    cron.base.chmod(0o755)  # not ours alone any more
    ours = WorkerFolder.of(settings)
    assert ours.sockets() == [ours.folder / "0123456789ab.sock"]


def test_a_folder_of_a_session_that_is_over_is_forgotten(
    settings: Settings, tmp_path: Path
) -> None:
    over = WorkerFolder.of(replace(settings, runtime=tmp_path / "over"))
    over.make()
    over.folder.rmdir()
    WorkerFolder.of(settings).make()
    assert WorkerFolder.of(settings).sockets() == []
    assert [link.readlink() for link in over.logs.glob("*.sockets")] == [
        WorkerFolder.of(settings).folder
    ]


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)
