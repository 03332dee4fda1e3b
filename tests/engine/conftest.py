"""Models and engines that the tests of this folder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.store.files import model_files
from tests.support.random_model import write_random_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.store import Store


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, whose tokens are bytes, with a context of 512."""
    return write_random_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="session")
def demo(demo_store: Store) -> Path:
    """The demo model in Q4_K_M."""
    artifact = demo_store.artifact(demo_store.get("demo/smolctl-demo"))
    return model_files(demo_store, artifact).weights[0]


@pytest.fixture
def engine(tiny: Path) -> Iterator[Engine]:
    """An engine of the random model with one sequence."""
    with Engine.open([tiny]) as opened:
        yield opened


@pytest.fixture(scope="module")
def eight(demo: Path) -> Iterator[Engine]:
    """An engine of the demo model with eight sequences; its cache is what tests leave in it."""
    with Engine.open([demo], EngineOptions(sequences=8, context_size=512)) as opened:
        yield opened
