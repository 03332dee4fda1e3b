"""The small HTTP client, against servers that say what a test has them say."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import NotRunnable, UsageError
from smolctl.runner import connection
from smolctl.runner.connection import ConnectionLost, Endpoint, is_readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@contextmanager
def serving(serve: Callable[[socket.socket], object]) -> Iterator[Endpoint]:
    """Serve one connection, once its request's headers are read."""

    def run() -> None:
        made, _ = listener.accept()
        with made:
            request = b""
            while b"\r\n\r\n" not in request:
                request += made.recv(65_536)
            serve(made)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        yield Endpoint(host="127.0.0.1", port=listener.getsockname()[1])
        thread.join()


def saying(*parts: bytes) -> Callable[[socket.socket], None]:
    def say(made: socket.socket) -> None:
        for part in parts:
            made.sendall(part)

    return say


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8000", Endpoint(host="127.0.0.1", port=8000)),
        ("models.example", Endpoint(host="models.example", port=12434)),
        ("http://models.example", Endpoint(host="models.example", port=80)),
        ("https://models.example/", Endpoint(host="models.example", port=443, tls=True)),
        ("http://[::1]:12434/proxy/", Endpoint(host="::1", port=12434, prefix="/proxy")),
        ("[::1]", Endpoint(host="::1", port=12434)),
    ],
)
def test_a_gateways_address_may_be_written_in_several_ways(text: str, expected: Endpoint) -> None:
    assert Endpoint.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "ftp://x", "x:0", "x:99999", "x:y", ":80", "http://me:secret@x:80", "http://"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="SMOLCTL_HOST"):
        Endpoint.parse(text)


def test_a_response_is_read_in_whatever_pieces_it_comes() -> None:
    whole = OK + b"data: one\n\n: a comment\n\ndata:two\r\n\r\ndata: [DONE]\n\n"
    pieces = [whole[at : at + 3] for at in range(0, len(whole), 3)]
    with serving(saying(*pieces)) as endpoint, endpoint.request("GET", "/") as response:
        assert response.status == 200
        assert list(response.events()) == ["one", "two", "[DONE]"]


def test_a_body_is_json_or_nothing() -> None:
    for body, expected in ((b'{"a":\n[1]}', {"a": [1]}), (b"<html>", None), (b"", None)):
        with serving(saying(OK, body)) as endpoint, endpoint.request("GET", "/") as response:
            assert response.json() == expected


@pytest.mark.parametrize(
    ("said", "begun"),
    [(b"", False), (b"HTTP/1.1 200 OK\r\nContent-Le", True), (b"SSH-2.0-x\r\n", True),
     (b"HTTP/1.1 ok OK\r\n\r\n", True), (OK[:-2] + b"a: b\r\n" * 1000, True)],
)  # fmt: skip
def test_what_is_no_response_is_a_lost_connection(said: bytes, begun: bool) -> None:
    with serving(saying(said)) as endpoint, pytest.raises(ConnectionLost) as caught:
        endpoint.request("GET", "/")
    assert caught.value.begun is begun


def test_who_does_not_answer_is_given_up() -> None:
    done = threading.Event()
    with serving(lambda _: done.wait(30)) as endpoint:
        with pytest.raises(ConnectionLost) as caught:
            endpoint.request("GET", "/", timeout=0.1)
        done.set()
    assert isinstance(caught.value.__cause__, TimeoutError)


@pytest.mark.parametrize("begun", [False, True])
def test_who_waits_in_silence_may_look_what_is_wrong(
    begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0)
    done = threading.Event()
    looked: list[int] = []

    def look() -> None:
        looked.append(1)
        if len(looked) == 2:
            raise NotRunnable("it hangs")

    def serve(made: socket.socket) -> None:
        if begun:
            made.sendall(OK)
        done.wait(30)

    with serving(serve) as endpoint:
        with (
            pytest.raises(NotRunnable, match="it hangs"),
            endpoint.request("GET", "/", on_silence=look) as response,
        ):
            list(response.events())
        done.set()


def test_nobody_there_is_a_lost_connection(unused_tcp_port: int) -> None:
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        Endpoint(host="127.0.0.1", port=unused_tcp_port).request("GET", "/")


def test_descriptors_of_more_than_1024_are_watched_too() -> None:
    least = 1100
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= least:
        pytest.skip("this process may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * least), hard))
    reading, writing = os.pipe()
    high = fcntl.fcntl(reading, fcntl.F_DUPFD, least)
    try:
        assert not is_readable(high, 0)
        os.write(writing, b"x")
        assert is_readable(high, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in (reading, writing, high):
            os.close(handle)
