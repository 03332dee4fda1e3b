"""A worker's event loop, with all around it made up, and the engine that ends it."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.sampling import Sampling
from smolctl.engine.scheduler import Scheduler
from smolctl.runner import serving
from tests.support.random_model import write_random_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from smolctl.runner.lifetime import Lifetime


def test_a_worker_whose_engine_is_broken_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[Callable[[], object]] = []
    left: list[bool] = []

    class Server:
        def __init__(self, app: object, lifetime: Lifetime, listener: object) -> None:
            del app, listener
            self._lifetime = lifetime

        async def serve(self, sockets: object) -> None:
            del sockets
            await asyncio.get_running_loop().run_in_executor(None, broken[0])  # a thread of its own
            await self._lifetime.wait(20)
            left.append(self._lifetime.leaving)

    made_up: Any = SimpleNamespace(
        engine=SimpleNamespace(on_broken=broken.append), keep_alive=-1.0, socket=None
    )
    monkeypatch.setattr(serving, "api_app", lambda *_: None)
    monkeypatch.setattr(serving, "_status", lambda *_: SimpleNamespace(as_json=dict))
    monkeypatch.setattr(serving, "_Server", Server)
    monkeypatch.setattr(serving.handshake, "report_ready", lambda _: None)
    asyncio.run(serving._serve(made_up, made_up, made_up))
    assert left == [True]


def test_an_engine_whose_thread_ends_by_a_bug_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(_: Scheduler) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Scheduler, "_step", step)
    broken = threading.Event()
    with Engine.open([write_random_model(tmp_path / "tiny.gguf")]) as engine:
        engine.on_broken(broken.set)
        with pytest.raises(ZeroDivisionError):
            list(engine.submit(GenerationRequest((1,), Sampling())))
        assert broken.wait(20)
