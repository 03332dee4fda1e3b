"""A worker's own endpoints, and what its headers do, around an API that only says yes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from smolctl import __version__
from smolctl.engine.options import EngineOptions
from smolctl.runner.activity import Activity
from smolctl.runner.expectation import expected, named_options
from smolctl.runner.lifetime import Lifetime
from smolctl.runner.worker_app import WorkerApp
from smolctl.runner.worker_status import Worker

OPTIONS = EngineOptions(context_size=512, sequences=4)
WORKER = Worker(
    Path("/run/x.sock"), "sha256:1", "model", 7, __version__, ("a", "b"),
    options=named_options(OPTIONS), expires_at=8.0, busy=1,
)  # fmt: skip


class Around:
    """A `WorkerApp`, with what it was asked and what it said."""

    def __init__(self) -> None:
        self.lifetime = Lifetime(Activity(), 300.0)
        self.app = WorkerApp(self.api, self.lifetime, lambda: WORKER)
        self.reached = 0

    async def api(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        self.reached += 1
        assert self.lifetime.busy == 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"yes"})

    async def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError("nobody asks for a body")

        pairs = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {"type": "http", "method": method, "path": path, "headers": pairs,
                 "query_string": query.encode()}  # fmt: skip
        task = asyncio.ensure_future(self.app(scope, receive, send))
        # An answer that ends with the process does not end here.
        await asyncio.wait([task], timeout=0.05)
        task.cancel()
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)


def asked(method: str, target: str, **headers: str) -> tuple[Around, int, bytes]:
    around = Around()
    names = {"keep_alive": "X-Smolctl-Keep-Alive", "expect": "X-Smolctl-Expect"}
    status, body = asyncio.run(
        around.ask(method, target, {names[name]: value for name, value in headers.items()})
    )
    return around, status, body


def test_its_status_is_read_as_it_was_written() -> None:
    _, status, body = asked("GET", "/worker")
    assert status == 200
    assert Worker.parse(WORKER.socket, json.loads(body)) == WORKER


def test_another_versions_status_has_what_it_takes_to_replace_it() -> None:
    said = {"id": "x", "name": "y", "pid": 1, "version": "0.0", "unheard-of": 1}
    found = Worker.parse(Path("/s"), said)
    assert found is not None
    assert expected(EngineOptions()).difference(found.version, found.options) == "smolctl 0.0"
    for nonsense in (None, [], {}, {"id": "x"}):
        assert Worker.parse(Path("/s"), nonsense) is None


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/worker"), ("GET", "/worker/unload"), ("GET", "/worker/x")]
)
def test_its_path_has_nothing_else(method: str, path: str) -> None:
    around, status, _ = asked(method, path)
    assert (status, around.reached, around.lifetime.leaving) == (404, 0, False)


def test_it_leaves_when_it_is_told() -> None:
    around, status, body = asked("POST", "/worker/unload")
    assert (status, around.lifetime.leaving, around.app.farewells) == (200, True, 1)
    assert json.loads(body) == {"pid": 7}


def test_it_stays_when_it_is_busy_and_asked_to_leave_if_idle() -> None:
    async def scenario(around: Around) -> tuple[int, bytes]:
        with around.lifetime.request(None):
            return await around.ask("POST", "/worker/unload?idle")

    around = Around()
    status, _ = asyncio.run(scenario(around))
    assert (status, around.lifetime.leaving) == (409, False)
    assert asyncio.run(Around().ask("POST", "/worker/unload?idle"))[0] == 200


def test_a_request_may_say_how_long_to_stay() -> None:
    around, status, body = asked("POST", "/v1/x", keep_alive="1m")
    assert (status, body, around.lifetime.keep_alive) == (200, b"yes", 60)
    assert asked("POST", "/v1/x")[0].lifetime.keep_alive == 300
    around, status, body = asked("POST", "/v1/x", keep_alive="soon")
    assert (status, around.reached) == (400, 0)
    assert "X-Smolctl-Keep-Alive" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (EngineOptions(), None),
        (EngineOptions(context_size=512), None),
        (EngineOptions(context_size=1024, threads=2), "--ctx-size 512, --threads auto"),
    ],
)
def test_a_request_may_say_what_it_expects(options: EngineOptions, difference: str | None) -> None:
    expectation = json.dumps(expected(options).as_json())
    around, status, body = asked("POST", "/v1/x", expect=expectation)
    if difference is None:
        assert (status, around.reached) == (200, 1)
        return
    assert (status, around.reached) == (409, 0)
    error = json.loads(body)["error"]
    assert error["code"] == "worker_differs"
    assert difference in error["message"]


def test_what_is_named_counts_also_when_it_is_the_default() -> None:
    expectation = expected(EngineOptions(), {"sequences", "gpu_layers"})
    assert expectation.options == {"sequences": 1, "gpu_layers": None}
    assert expectation.difference(__version__, WORKER.options) == "--parallel 4"


@pytest.mark.parametrize("header", ["", "[]", "{", '{"options": 1}', "[" * 100_000])
def test_an_expectation_that_is_none_is_refused(header: str) -> None:
    around, status, _ = asked("POST", "/v1/x", expect=header)
    assert (status, around.reached) == (400, 0)
