"""The gateway on a Unix socket, with workers that the test makes up."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from smolctl.registry.access import RegistryAccess
from smolctl.runner.gateway.app import gateway_app
from smolctl.runner.gateway.policy import Policy
from smolctl.settings import Settings
from tests.support.fake_worker import FakeWorker, FakeWorkers
from tests.support.unix_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.store import Store
    from tests.support.fake_worker import Script

MODEL = "demo/smolctl-demo"
OTHER = "demo/smolctl-demo:3.5M-F16"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


class Gateway:
    """A gateway in front of `store`, and its `client`; made when first asked for."""

    def __init__(self, store: Store, folder: Path, stack: ExitStack) -> None:
        self.store = store
        self.workers = FakeWorkers(self._start)
        self._folder = folder
        self._stack = stack
        self._numbers = itertools.count()
        self._worker: FakeWorker | None = None
        self._client: httpx2.Client | None = None

    def worker(self, *scripts: Script) -> FakeWorker:
        """Have models answered by a worker with these scripts, from the next start on."""
        path = self._folder / f"{next(self._numbers)}.sock"
        self._worker = self._stack.enter_context(FakeWorker(path, *scripts))
        return self._worker

    @property
    def client(self) -> httpx2.Client:
        if self._client is None:
            environment = {
                "SMOLCTL_HOME": str(self.store.root),
                "DOCKER_CONFIG": str(self._folder / "docker"),
                "SMOLCTL_CONFIG": str(self._folder / "config.toml"),
            }
            registries = RegistryAccess(Settings.from_environment(environment), retries=0)
            app = gateway_app(self.store, registries, self.workers, Policy())
            path = self._stack.enter_context(serving(app, self._folder / "gateway.sock"))
            transport = httpx2.HTTPTransport(uds=str(path))
            self._client = self._stack.enter_context(
                httpx2.Client(transport=transport, base_url="http://localhost", timeout=30)
            )
        return self._client

    def chat(self, **changes: Any) -> httpx2.Response:
        return self.client.post("/v1/chat/completions", json={**CHAT, **changes})

    def _start(self, name: str) -> Path:
        del name
        assert self._worker is not None
        return self._worker.path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def gateway(demo_store: Store, tmp_path: Path, stack: ExitStack) -> Gateway:
    """A gateway in front of the demo models, which nobody may change."""
    return Gateway(demo_store, tmp_path, stack)


@pytest.fixture
def own_gateway(store: Store, tmp_path: Path, stack: ExitStack) -> Gateway:
    """A gateway in front of an empty cache."""
    return Gateway(store, tmp_path, stack)


def error_of(response: httpx2.Response, status: int) -> dict[str, Any]:
    """The error object in an answer of that status, in OpenAI's shape."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error
