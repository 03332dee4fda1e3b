"""A listing that was noted is what the cache would say, and only as long as it would."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary, noted_listing
from smolctl.cli.listed import Listed
from smolctl.model.digest import Digest
from smolctl.store.store import Store
from tests.support.faulty_registry import pack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A cache with two models, which the environment names."""
    (tmp_path / "run").mkdir(mode=0o700)
    for name in ("SMOLCTL_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / {"XDG_RUNTIME_DIR": "run"}.get(name, name)))
    made = Store(tmp_path / "SMOLCTL_HOME")
    add(made, "ai/small:latest", b"one")
    add(made, "ai/small:other", b"two")
    return made


def add(store: Store, name: str, weights: bytes) -> None:
    packed = pack(weights=weights)
    store.prepare()
    for digest, content in packed.blobs.items():
        store.blobs.path(Digest.parse(digest)).write_bytes(content)
    assert store.commit(packed.manifest, store.parse(name)) is not None


def shown(capsys: pytest.CaptureFixture[str], *flags: str, code: int = 0) -> str:
    capsys.readouterr()
    assert boundary.run(["model", "ls", *flags]) == code
    return capsys.readouterr().out


def without_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, whoever reads a model's documents fails."""

    def read(store: Store, model: object) -> Listed:
        raise AssertionError(store, model)

    monkeypatch.setattr(Listed, "read", read)


@pytest.mark.parametrize("flags", [(), ("--json",), ("-q",), ("--quiet", "--json")])
def test_the_second_time_it_says_the_same_and_reads_nothing(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
) -> None:
    first = shown(capsys, *flags)
    without_documents(monkeypatch)
    assert shown(capsys, *flags) == first
    assert len(store.models()) == (len(json.loads(first)) if "--json" in flags else 2)


def test_it_does_not_hold_once_the_cache_has_changed(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(capsys)
    add(store, "ai/third", b"three")
    assert "ai/third" in shown(capsys)
    assert "ai/third" in shown(capsys)
    store.remove("ai/third")
    assert "ai/third" not in shown(capsys)


def test_it_does_not_hold_once_a_blob_is_missing(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(capsys)
    model = store.models()[0]
    store.blobs.path(model.id).unlink()
    assert "missing" in shown(capsys)


def test_what_is_damaged_is_not_noted(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    path = store.blobs.path(store.models()[0].id)
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    assert "damaged" in shown(capsys)
    path.write_bytes(whole)
    assert "damaged" not in shown(capsys)


def test_a_question_that_is_not_plain_goes_the_usual_way(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(capsys)
    monkeypatch.setattr(noted_listing, "noted_listing", lambda _: [])
    assert shown(capsys) != ""
    assert "ai/small:other" in shown(capsys, "ai/small:other")
    shown(capsys, "--nonsense", code=2)
    assert len(store.models()) == 2


def test_a_note_that_is_damaged_counts_as_none(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shown(capsys)
    (note,) = (tmp_path / "run" / "smolctl").glob("note-*")
    *lines, entries = note.read_text().splitlines()
    note.write_text("\n".join([*lines, entries[: len(entries) // 2] + '"']) + "\n")

    assert noted_listing.noted_listing(os.environ) is None
    assert shown(capsys) == first
    assert store.models()
