"""A registry with two models, and a cache into which both were pulled."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from smolctl.demo.artifact import REPOSITORY
from smolctl.store.files import model_files
from tests.support.faulty_registry import FaultyRegistry, Packed, pack
from tests.support.processes import Smolctl
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.store import Store


@dataclass(frozen=True)
class World:
    """`model` is `ai/small:latest`, the demo model; `decoy` is the repository's other tag."""

    registry: FaultyRegistry
    model: Packed
    decoy: Packed
    cache: Path

    @property
    def host(self) -> str:
        return self.registry.host

    def smolctl(self, folder: Path, *, filled: bool) -> Smolctl:
        """The command, with the registry as its default, and with a copy of the cache if asked."""
        made = Smolctl(folder, SMOLCTL_DEFAULT_REGISTRY=self.host)
        if filled:
            shutil.copytree(self.cache, made.home)
        return made


@pytest.fixture(scope="session")
def gguf(demo_store: Store) -> str:
    """The demo model's file, bare."""
    artifact = demo_store.artifact(demo_store.get(f"{REPOSITORY}:latest"))
    return str(model_files(demo_store, artifact).weights[0])


@pytest.fixture(scope="session")
def demo_f16(demo_store: Store) -> str:
    """The demo model's file before it was quantized."""
    artifact = demo_store.artifact(demo_store.get(f"{REPOSITORY}:3.5M-F16"))
    return str(model_files(demo_store, artifact).weights[0])


@pytest.fixture(scope="session")
def endless(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of random weights whose greedy answer only the context ends."""
    folder = tmp_path_factory.mktemp("endless")
    return str(write_random_model(folder / "endless.gguf", Geometry(context=65536)))


@pytest.fixture(scope="session")
def world(demo_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """What the tests of names share; nobody may change it."""
    with FaultyRegistry() as registry:
        demo = next(m for m in demo_store.models() if any(t.tag == "latest" for t in m.tags))
        model = registry.publish("ai/small", "latest", Packed.of(demo_store, demo))
        decoy = registry.publish("ai/small", "decoy", pack())
        folder = tmp_path_factory.mktemp("world")
        made = World(registry, model, decoy, folder / "models")
        with closing(made.smolctl(folder, filled=False)) as smolctl:
            smolctl("model", "pull", "small", "small:decoy", expect=0)
        yield made


@pytest.fixture
def filled(world: World, tmp_path: Path) -> Iterator[Smolctl]:
    """The command with both models in its cache."""
    with closing(world.smolctl(tmp_path, filled=True)) as made:
        yield made


@pytest.fixture
def empty(world: World, tmp_path: Path) -> Iterator[Smolctl]:
    """The command with nothing in its cache."""
    with closing(world.smolctl(tmp_path, filled=False)) as made:
        yield made
