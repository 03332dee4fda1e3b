"""A client that hangs up: what was generated for it ends, and its sequence is free."""

from __future__ import annotations

import socket

import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.runner.activity import Activity
from smolctl.runner.api.app import api_app
from smolctl.runner.loaded import LoadedModel
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import file_source
from tests.runner.api.conftest import connected
from tests.support.random_model import Geometry, write_random_model
from tests.support.unix_server import serving
from tests.support.waiting import wait_until

NEVER_ENDS = {"grammar": 'root ::= "a" root', "max_tokens": 1_000_000, "model": "tiny.gguf"}


@pytest.fixture(scope="module")
def endless(tmp_path_factory):
    """A random model with one sequence in a context that takes long to fill."""
    folder = tmp_path_factory.mktemp("models")
    path = write_random_model(folder / "tiny.gguf", Geometry(context=65_536))
    options = EngineOptions(threads=1, context_size=65_536)
    with Engine.open([path], options) as engine:
        yield LoadedModel(Runnable.read(file_source(path)), engine, options)


@pytest.fixture(scope="module")
def activity():
    return Activity()


@pytest.fixture(scope="module")
def server(endless, activity, tmp_path_factory):
    with serving(api_app(endless, activity), tmp_path_factory.mktemp("s") / "api.sock") as path:
        yield path


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/completions", {"prompt": "a"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}),
    ],
)
def test_a_reply_ends_when_its_client_hangs_up(server, endless, activity, path, asked, stream):
    engine = endless.engine
    with connected(server, path, **asked, **NEVER_ENDS, stream=stream) as connection:
        wait_until(lambda: engine.state.generating)
        if stream:
            assert connection.recv(1000)
        assert activity.busy == 1
    wait_until(lambda: not engine.state.generating)
    wait_until(lambda: not activity.busy)


def test_one_that_waits_leaves_the_queue(server, endless, http):
    engine = endless.engine
    with connected(server, "/v1/completions", prompt="a", **NEVER_ENDS):
        wait_until(lambda: engine.state.generating)
        with connected(server, "/v1/completions", prompt="b", **NEVER_ENDS, n=2):
            wait_until(lambda: engine.state.waiting == 2)
        wait_until(lambda: not engine.state.waiting)
        assert engine.state.generating == 1
    wait_until(lambda: not engine.state.generating)
    counted = http.get("/metrics").text
    assert 'smolctl_requests_total{route="/v1/completions",status="499"}' in counted


def test_one_that_reads_nothing_holds_up_nobody(server, endless, http):
    with connected(server, "/v1/completions", prompt="a", **NEVER_ENDS, stream=True):
        wait_until(lambda: endless.engine.state.generating)
        assert http.get("/health").status_code == 200
    wait_until(lambda: not endless.engine.state.generating)


def test_half_a_request_is_none(server, endless, activity):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(server))
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
    wait_until(lambda: activity.busy)
    connection.close()
    wait_until(lambda: not activity.busy)
    assert endless.engine.state.generating == 0


def test_of_many_prompts_few_wait_in_the_engine_and_all_end(server, endless, activity):
    engine = endless.engine
    with connected(server, "/v1/completions", prompt=["a"] * 1000, **NEVER_ENDS):
        wait_until(lambda: engine.state.generating and engine.state.waiting)
        assert engine.state.waiting == 1
    wait_until(lambda: not activity.busy)
    assert (engine.state.generating, engine.state.waiting) == (0, 0)
