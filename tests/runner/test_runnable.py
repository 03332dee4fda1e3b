"""What is run: a file with its shards, in as much context as was asked for and memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import ModelNotFound, NotRunnable
from smolctl.model.gguf import read_file
from smolctl.model.memory import kv_cache_bytes
from smolctl.runner import runnable
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from tests.support.gguf_files import shard
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from pathlib import Path

PLENTY = 10**12


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_random_model(folder / "model.gguf", Geometry(context=131_072))


def fitted(
    monkeypatch: pytest.MonkeyPatch, path: Path, free: int, asked: int | None = None
) -> int | None:
    monkeypatch.setattr(runnable, "_free_memory", lambda: free)
    return Runnable.read(file_source(path)).fit(EngineOptions(context_size=asked)).context_size


def test_with_memory_the_context_is_the_models_own(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    assert fitted(monkeypatch, path, PLENTY) == 131_072
    assert fitted(monkeypatch, path, PLENTY, asked=1000) == 1000


def test_a_context_that_does_not_fit_is_cut_and_leaves_memory_to_others(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    free = kv_cache_bytes(read_file(path), 131_072)
    size = fitted(monkeypatch, path, free)
    assert size is not None
    assert 256 <= size < 131_072
    assert kv_cache_bytes(read_file(path), size) < 0.8 * free


def test_a_context_that_was_asked_for_is_not_cut_in_silence(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    with pytest.raises(NotRunnable, match="does not fit") as caught:
        fitted(monkeypatch, path, 1_000_000, asked=100_000)
    assert caught.value.hint is not None
    assert "--ctx-size 256" in caught.value.hint


def test_any_shard_means_all_of_them_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, path in enumerate(paths):
        path.write_bytes(shard(number, 3))

    assert file_source(paths[1]).weights == tuple(paths)
    assert Runnable.read(file_source(paths[1])).header.architecture == "llama"

    paths[2].unlink()
    with pytest.raises(ModelNotFound, match="00003-of-00003"):
        file_source(paths[0])
