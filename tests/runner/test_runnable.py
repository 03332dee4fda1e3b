"""What is run: a file with its shards, in as much context as was asked for and memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import ModelNotFound, TooLittleMemory
from smolctl.runner import runnable
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from tests.support.gguf_files import shard
from tests.support.random_bert import write_random_bert
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from pathlib import Path

PLENTY = 10**12


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_random_model(folder / "model.gguf", Geometry(context=131_072))


def fitted(
    monkeypatch: pytest.MonkeyPatch, path: Path, usable: int, asked: int | None = None
) -> int | None:
    monkeypatch.setattr(runnable, "usable_memory", lambda: usable)
    return Runnable.read(file_source(path)).fit(EngineOptions(context_size=asked)).context_size


def test_with_memory_the_context_is_the_models_own(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    assert fitted(monkeypatch, path, PLENTY) == 131_072
    assert fitted(monkeypatch, path, PLENTY, asked=1000) == 1000


def test_a_context_that_nobody_asked_for_is_cut_to_what_fits(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    model = Runnable.read(file_source(path))
    usable = model.needed(EngineOptions(context_size=10_000)).total
    assert fitted(monkeypatch, path, usable) == 10_240  # rounded up, as llama.cpp does
    assert fitted(monkeypatch, path, usable - 1) == 9984


def test_a_context_that_was_asked_for_is_not_cut_in_silence(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    usable = Runnable.read(file_source(path)).needed(EngineOptions(context_size=512)).total
    with pytest.raises(
        TooLittleMemory, match=r"needs \d+ MB .* of 100000 tokens; .* MB can be had"
    ) as caught:
        fitted(monkeypatch, path, usable, asked=100_000)
    assert caught.value.exit_code == 7
    assert caught.value.hint == "--ctx-size 512 is the largest that fits."


@pytest.mark.parametrize("asked", [None, 4096])
def test_a_model_that_does_not_fit_at_all_says_so(
    monkeypatch: pytest.MonkeyPatch, path: Path, asked: int | None
) -> None:
    with pytest.raises(TooLittleMemory, match=r"needs .*; 100 kB can be had") as caught:
        fitted(monkeypatch, path, 100_000, asked)
    assert "Even the smallest context does not fit" in str(caught.value.hint)


def test_the_context_is_cut_for_the_sequences_that_have_one_each(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    model = Runnable.read(file_source(path))
    usable = model.needed(EngineOptions(context_size=1024, sequences=8)).total
    monkeypatch.setattr(runnable, "usable_memory", lambda: usable)
    fixed = model.fit(EngineOptions(sequences=8))
    assert (fixed.sequences, fixed.context_size) == (8, 1024)
    with pytest.raises(TooLittleMemory, match="for each of 8 sequences") as caught:
        model.fit(EngineOptions(context_size=2048, sequences=8))
    assert caught.value.hint == "--ctx-size 1024 is the largest that fits."


def test_sequences_that_share_a_cache_take_little_more_than_one(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    model = Runnable.read(file_source(path))
    one = EngineOptions(context_size=8192)
    shared = EngineOptions(context_size=8192, sequences=8, shared_cache=True)
    assert model.needed(shared).cache == model.needed(one).cache
    monkeypatch.setattr(runnable, "usable_memory", lambda: model.needed(shared).total)
    assert model.fit(shared) == shared


def test_a_quantized_cache_makes_room(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    model = Runnable.read(file_source(path))
    usable = model.needed(EngineOptions(context_size=4096)).total
    monkeypatch.setattr(runnable, "usable_memory", lambda: usable)
    small = EngineOptions(context_size=4352, cache_type_k="q8_0", cache_type_v="q4_0")
    assert model.fit(small) == small


def test_an_encoder_has_the_context_of_its_positions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write_random_bert(tmp_path / "bert.gguf", context=256)
    assert fitted(monkeypatch, path, PLENTY) == 256
    assert fitted(monkeypatch, path, PLENTY, asked=1000) == 256
    assert fitted(monkeypatch, path, PLENTY, asked=100) == 100


def test_any_shard_means_all_of_them_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"model-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, path in enumerate(paths):
        path.write_bytes(shard(number, 3))

    assert file_source(paths[1]).weights == tuple(paths)
    assert Runnable.read(file_source(paths[1])).header.architecture == "llama"

    paths[2].unlink()
    with pytest.raises(ModelNotFound, match="00003-of-00003"):
        file_source(paths[0])
