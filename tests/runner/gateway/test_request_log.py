"""What is told of each request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.runner.gateway.request_log import MODEL, Answered, RequestLog

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def told(path: str, *, status: int | None = 200, client: Any = ("192.0.2.7", 1)) -> list[Answered]:
    """Return what is told of a request that is answered with `status`, or never."""
    heard: list[Answered] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        scope[MODEL] = "ai/small"
        if status is None:
            raise ConnectionError
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def nothing(*_: Any) -> Any:
        return None

    scope = {"type": "http", "method": "POST", "path": path, "client": client,
             "query_string": b"key=s3cret"}  # fmt: skip
    log = RequestLog(app, heard.append)
    if status is None:
        with pytest.raises(ConnectionError):
            asyncio.run(log(scope, nothing, nothing))
    else:
        asyncio.run(log(scope, nothing, nothing))
    return [replace(each, seconds=0.0) for each in heard]


def test_a_request_is_told_of_without_its_query() -> None:
    assert told("/v1/completions", status=404) == [
        Answered("192.0.2.7", "POST", "/v1/completions", 404, 0.0, "ai/small")
    ]


def test_one_that_nobody_waited_for_is_told_of_too() -> None:
    (one,) = told("/v1/completions", status=None, client=None)
    assert (one.status, one.peer) == (499, "-")


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_what_a_supervisor_asks_for_is_not(path: str) -> None:
    assert told(path) == []
