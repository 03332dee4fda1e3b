"""Fixtures that several folders of tests share."""

from __future__ import annotations

import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import tests.support.examples  # noqa: F401 - sets the profile
from smolctl.store.store import Store
from tests.support.faulty_registry import FaultyRegistry
from tests.support.processes import Smolctl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_runtest_setup() -> None:
    """Hear Ctrl-C also in the background, where a shell has it ignored, and after any test."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    """A registry that does what the test tells it."""
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[FaultyRegistry]:
    """A second server, where redirects lead."""
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """A loopback port on which nothing listens: it is taken, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty cache."""
    return Store(tmp_path / "models")


@pytest.fixture
def smolctl(tmp_path: Path) -> Iterator[Smolctl]:
    """The command, with a cache and a home of its own."""
    with closing(Smolctl(tmp_path)) as made:
        yield made


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache with the demo model in it; nobody may change it."""
    from smolctl.demo.artifact import publish

    made = Store(tmp_path_factory.mktemp("demo") / "models")
    publish(made)
    return made
