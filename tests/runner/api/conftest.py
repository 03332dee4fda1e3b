"""The demo model, served over HTTP on a Unix socket, and the real `openai` client for it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.runner.activity import Activity
from smolctl.runner.api.app import api_app
from smolctl.runner.loaded import LoadedModel
from smolctl.runner.runnable import Runnable
from smolctl.runner.source import model_source
from tests.support.unix_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.store import Store

MODEL = "demo/smolctl-demo"
OPTIONS = EngineOptions(sequences=4, context_size=512, queue=16, threads=1)


@pytest.fixture(scope="package")
def loaded(demo_store: Store) -> Iterator[LoadedModel]:
    """The demo model with four sequences."""
    source = model_source(demo_store, demo_store.get(MODEL), MODEL)
    with Engine.open(source.weights, OPTIONS) as engine:
        yield LoadedModel(Runnable.read(source), engine, OPTIONS)


@pytest.fixture(scope="package")
def activity() -> Activity:
    return Activity()


@pytest.fixture(scope="package")
def server(
    loaded: LoadedModel, activity: Activity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The socket of the served demo model."""
    with serving(api_app(loaded, activity), tmp_path_factory.mktemp("s") / "api.sock") as path:
        yield path


@pytest.fixture
def http(server: Path) -> Iterator[httpx2.Client]:
    """A plain HTTP client."""
    transport = httpx2.HTTPTransport(uds=str(server))
    with httpx2.Client(transport=transport, base_url="http://worker", timeout=30) as client:
        yield client


@pytest.fixture
def client(http: httpx2.Client) -> openai.OpenAI:
    """OpenAI's client; it does not try again by itself."""
    return openai.OpenAI(
        base_url="http://worker/v1", api_key="none", http_client=http, max_retries=0
    )


def connected(server: Path, path: str, **body: Any) -> socket.socket:
    """Return a connection that has asked for something."""
    content = json.dumps(body).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(server))
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection
