"""What a worker does before its model is there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import TooLittleMemory, UsageError
from smolctl.runner import eviction, worker
from smolctl.runner.address import WorkerFolder
from smolctl.runner.source import file_source
from smolctl.runner.specification import WorkerSpecification
from smolctl.settings import Settings
from smolctl.store.storage import is_locked
from tests.support.random_model import write_random_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def specification(tmp_path: Path) -> WorkerSpecification:
    settings = Settings.from_environment({})
    settings = replace(settings, runtime=tmp_path / "run", state=tmp_path / "state")
    folder = WorkerFolder.of(settings)
    folder.make()
    source = file_source(write_random_model(tmp_path / "tiny.gguf"))
    return WorkerSpecification(source, EngineOptions(gpu_layers=1), folder)


def test_one_model_at_a_time_looks_for_memory_and_takes_it(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []

    def fit(*_: object) -> EngineOptions:
        looked.append(is_locked(specification.folder.memory_lock))
        raise TooLittleMemory("no")

    monkeypatch.setattr("smolctl.engine.loading.check_gpu", lambda _: None)
    monkeypatch.setattr(eviction, "fit_with_room", fit)
    with pytest.raises(TooLittleMemory):
        worker._load(specification)
    assert looked == [True]
    assert not is_locked(specification.folder.memory_lock)


def test_nobody_leaves_for_a_gpu_that_is_not_there(
    specification: WorkerSpecification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise UsageError("no GPU")

    monkeypatch.setattr("smolctl.engine.loading.check_gpu", refuse)
    monkeypatch.setattr(eviction, "fit_with_room", lambda *_: pytest.fail("it made room"))
    with pytest.raises(UsageError, match="no GPU"):
        worker._load(specification)
