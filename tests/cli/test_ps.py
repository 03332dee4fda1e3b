"""What `ps` and `status` show of workers: until when they stay, and those that hang."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary
from smolctl.cli.ps import short_id, shown_name, until
from smolctl.runner import workers
from smolctl.runner.address import WorkerFolder
from smolctl.runner.worker_status import Worker
from smolctl.settings import Settings
from tests.support.fake_worker import FakeWorker, Hanging

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_000_000.0


def worker(**fields: object) -> Worker:
    return Worker(Path("/s"), "sha256:" + "ab" * 32, "asked", 1, "0", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "Expiring"), (-5, "Expiring"), (0.2, "1 second from now"), (1, "1 second from now"),
     (59, "59 seconds from now"), (61, "1 minute from now"), (290, "5 minutes from now"),
     (3600, "1 hour from now"), (10_000, "3 hours from now")],
)  # fmt: skip
def test_until_is_said_in_the_largest_unit(seconds: float, said: str) -> None:
    assert until(worker(expires_at=NOW + seconds), NOW) == said


def test_what_is_busy_or_stays_for_ever_has_no_end() -> None:
    assert until(worker(busy=1), NOW) == "In use"
    assert until(worker(keep_alive=-1), NOW) == "Forever"


def test_a_name_in_the_cache_is_shown_before_what_was_asked_for() -> None:
    assert shown_name(worker(names=("ai/x:v1", "ai/x:latest", "ai/x:v2"))) == "ai/x:latest"
    assert shown_name(worker(names=("ai/x:v1", "ai/x:v2"))) == "ai/x:v1"
    assert shown_name(worker()) == "asked"
    assert short_id(worker().id) == "ab" * 6


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The beginning of the ID of a model whose process does not answer."""
    for name in ("HOME", "SMOLCTL_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(workers, "_ANSWER_SECONDS", 0.05)
    with tempfile.TemporaryDirectory(prefix="smolctl-") as runtime:  # a socket's path is short
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        folder = WorkerFolder.of(Settings.from_environment(os.environ))
        folder.make()
        silence = Hanging()
        with FakeWorker(folder.address("sha256:" + "ab" * 32).socket, silence):
            yield "ab" * 6
            silence.over.set()


def test_what_does_not_answer_is_shown(hanging: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(["model", "ps"]) == 0
    assert f"{hanging}   llama.cpp   -      Not answering" in capsys.readouterr().out
    assert boundary.run(["model", "status"]) == 0
    assert f"Not answering: {hanging}\n" in capsys.readouterr().out
    assert boundary.run(["model", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_answering"] == [hanging]


def test_what_another_environment_started_is_shown(
    hanging: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="smolctl-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        assert boundary.run(["model", "ps"]) == 0
    assert f"{hanging}   llama.cpp   -      Not answering" in capsys.readouterr().out
