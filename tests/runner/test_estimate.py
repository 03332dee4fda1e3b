"""The estimate of memory beside what llama.cpp says that it allots."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.engine.loading import load_weights, open_context
from smolctl.engine.options import EngineOptions
from smolctl.engine.quantize import quantize
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from smolctl.store.files import model_files
from tests.support.random_mamba import write_random_mamba
from tests.support.random_model import SMOLLM2_360M, TINY, Geometry, write_random_model

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.store.store import Store

MIB = 1024 * 1024
_BUFFER = re.compile(r"(\S+) +(?:model|KV|RS|output|compute) buffer size = +([\d.]+) MiB")

SHAPES: list[dict[str, Any]] = [
    {"context_size": 512},
    {"context_size": 2000, "sequences": 8},
    {"context_size": 8192},
    {"context_size": 8192, "sequences": 8, "shared_cache": True},
    {"context_size": 4096, "cache_type_k": "q8_0", "cache_type_v": "q4_0"},
    {"context_size": 1024, "sequences": 8, "cache_type_k": "q5_1", "cache_type_v": "q5_1"},
    {"context_size": 1024, "sequences": 8, "flash_attention": "off"},
    {"context_size": 4096, "batch_tokens": 64},
]


def allotted(path: Path, options: EngineOptions, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the bytes that llama.cpp logs to have allotted for a model and its context.

    Without those of the weights that it has rearranged: they replace others, which it has mapped.
    """
    log = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", log)
        weights = load_weights([path], options, debug=True)
        context = open_context(weights, options)
    if context is not None:
        context.close()
    weights.close()
    found = _BUFFER.findall(log.getvalue())
    assert len(found) >= 4
    return sum(float(size) for name, size in found if "REPACK" not in name) * MIB


def compare(path: Path, shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    options = EngineOptions(**shape)
    estimate = Runnable.read(file_source(path)).needed(options).total
    # The log's numbers are rounded, to 10 kB for each buffer.
    assert 0.95 <= estimate / allotted(path, options, monkeypatch) <= 1.1


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, demo_store: Store) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    geometries = {
        "tiny": TINY,
        "narrow": Geometry(layers=3, width=256, heads=8, kv_heads=2, feed_forward=320),
        "wide": Geometry(layers=3, width=256, heads=4, kv_heads=4, feed_forward=1024),
        "wordy": Geometry(layers=3, width=256, heads=4, vocabulary=20_000),
        "experts": Geometry(layers=3, width=256, heads=4, feed_forward=320, experts=8),
        "small experts": Geometry(
            layers=3, width=256, heads=4, feed_forward=64, experts=16, experts_used=8
        ),
    }
    paths = {
        name: write_random_model(folder / f"{name}.gguf", geometry)
        for name, geometry in geometries.items()
    }
    paths["recurrent"] = write_random_mamba(folder / "recurrent.gguf", state=64)
    artifact = demo_store.artifact(demo_store.get("demo/smolctl-demo"))
    paths["demo"] = model_files(demo_store, artifact).weights[0]
    return paths


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "name",
    ["tiny", "narrow", "wide", "wordy", "experts", "small experts", "recurrent", "demo"],
)
def test_the_estimate_is_near(
    models: dict[str, Path], name: str, shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(models[name], shape, monkeypatch)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SmolLM2-360M's geometry with random weights, in F16 and Q4_K_M."""
    folder = tmp_path_factory.mktemp("real")
    plain = write_random_model(folder / "f16.gguf", SMOLLM2_360M)
    quantize(plain, folder / "q4.gguf", "Q4_K_M")
    return {"f16": plain, "q4": folder / "q4.gguf"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["f16", "q4"])
def test_the_estimate_is_near_for_a_model_of_the_real_size(
    real: dict[str, Path], name: str, shape: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(real[name], shape, monkeypatch)
