"""Changing a file that other tools share: nothing of theirs is lost, and nobody else reads it."""

from __future__ import annotations

import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import StorageError
from smolctl.registry.credential_update import changing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


def add(config: Path, key: str) -> None:
    with changing(config) as document:
        document.setdefault("auths", {})[key] = {"auth": "x"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_that_is_missing_is_made_for_its_owner_alone(config: Path) -> None:
    before = os.umask(0)
    try:
        add(config, "a")
    finally:
        os.umask(before)

    assert json.loads(config.read_bytes()) == {"auths": {"a": {"auth": "x"}}}
    assert mode(config) == 0o600
    assert mode(config.parent) == 0o700
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_file_that_others_could_read_is_closed_to_them(config: Path) -> None:
    config.parent.mkdir(mode=0o755)
    config.write_text("{}")
    config.chmod(0o644)

    add(config, "a")

    assert mode(config) == 0o600
    assert mode(config.parent) == 0o755  # a folder that was there is its owner's business


def test_everything_else_stays_in_its_order(config: Path) -> None:
    config.parent.mkdir()
    document: dict[str, Any] = {
        "zebra": {"b": 1, "a": [1.5, None, True, "\ud800", "Zoë"]},
        "auths": {"z": {"auth": "1", "unknown": {}}, "a": {"email": "x"}},
        "HttpHeaders": {"User-Agent": "Docker"},
        "big": 2**70,
    }
    config.write_text(json.dumps(document))

    add(config, "b")

    document["auths"]["b"] = {"auth": "x"}
    # As text: two dictionaries are equal in whatever order.
    assert json.dumps(json.loads(config.read_bytes())) == json.dumps(document)


def test_a_symbolic_link_stays_one(config: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "docker.json"
    real.parent.mkdir()
    real.write_text('{"psFormat": "x"}')
    config.parent.mkdir()
    config.symlink_to(os.path.relpath(real, config.parent))

    add(config, "a")

    assert config.is_symlink()
    assert json.loads(real.read_bytes()) == {"psFormat": "x", "auths": {"a": {"auth": "x"}}}


def test_nothing_changed_is_nothing_written(config: Path) -> None:
    config.parent.mkdir()
    config.write_text('{ "auths":{} }')

    with changing(config):
        pass

    assert config.read_text() == '{ "auths":{} }'


@pytest.mark.parametrize(
    "content", ["{", "[]", "1", "null", '"x"', '{"auths": []}', '{"auths": "x"}']
)
def test_what_is_no_such_file_is_refused_and_left_alone(config: Path, content: str) -> None:
    config.parent.mkdir()
    config.write_text(content)

    with pytest.raises(StorageError, match=str(config)) as caught:
        add(config, "a")

    assert config.read_text() == content
    assert "REGISTRY_AUTH_FILE" in (caught.value.hint or "")


def test_a_failure_in_the_middle_changes_nothing(config: Path) -> None:
    add(config, "a")
    before = config.read_bytes()

    def fail() -> None:
        with changing(config) as document:
            document["auths"].clear()
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert config.read_bytes() == before
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_disk_that_fails_leaves_the_old_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(config, "a")
    before = config.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("smolctl.registry.credential_update.os.fsync", full)

    with pytest.raises(StorageError, match=r"config\.json: No space left"):
        add(config, "b")

    assert config.read_bytes() == before
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError, match=r"config\.json"):
        add(tmp_path / "file" / "config.json", "a")


def test_two_at_once_lose_nothing(config: Path) -> None:
    count = 8
    barrier = threading.Barrier(count)

    def begin(number: int) -> None:
        barrier.wait(60)
        add(config, f"r{number}")

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(begin, range(count)))

    assert set(json.loads(config.read_bytes())["auths"]) == {f"r{n}" for n in range(count)}
