"""Clients of the read-only registry: those that go on, know no better, or mean no good."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl.listening import listen
from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import pull
from smolctl.registry.sharing.connection import Patience
from smolctl.registry.sharing.server import Limits, RegistryServer
from smolctl.registry.sharing.shared_models import SharedModels
from smolctl.registry.source import Source
from smolctl.store.store import Store
from tests.support.faulty_registry import CONFIG, GGUF, Packed
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.registry.sharing.visits import Visit

MEBIBYTE = 1024 * 1024
LARGE = Packed.of_layers(bytes(32 * MEBIBYTE))
"""More than the system keeps for a client that takes nothing."""

BLOB = f"/v2/ai/large/blobs/{LARGE.layers[0]}"
SECONDS = 30.0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache with one large model; nobody may change it."""
    store = Store(tmp_path_factory.mktemp("large") / "models")
    store.prepare()
    for digest, content in LARGE.blobs.items():
        kind = CONFIG if digest == LARGE.config else GGUF
        store.blobs.write_bytes(Descriptor.of(content, kind), content)
    assert store.commit(LARGE.manifest, Reference.parse("ai/large"))
    return store


class Shared:
    """A server that runs, at `host`, and the visits that it told of."""

    def __init__(self, store: Store, limits: Limits) -> None:
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.visits: list[Visit] = []
        self.told = threading.Event()
        self.reads = threading.Event()
        self.reads.set()
        self.server = RegistryServer(SharedModels(store), listener, self._tell, limits)

    def _tell(self, visit: Visit) -> None:
        self.visits.append(visit)
        self.told.set()
        assert self.reads.wait(SECONDS)

    def connect(self, content: bytes = b"") -> socket.socket:
        stream = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        stream.sendall(content)
        return stream

    def say(self, content: bytes, *, is_all: bool = True) -> bytes:
        """All that comes back until the server hangs up; it hears that no more will come."""
        with self.connect(content) as stream:
            if is_all:
                stream.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: stream.recv(65536), b""))

    def status(self, path: str = "/v2/") -> int:
        connection = http.client.HTTPConnection(self.host, timeout=SECONDS)
        connection.request("GET", path)
        try:
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def sharing(store: Store, limits: Limits) -> Iterator[Shared]:
    shared = Shared(store, limits)
    thread = threading.Thread(target=shared.server.run)
    thread.start()
    try:
        yield shared
    finally:
        shared.server.stop()
        thread.join()


@pytest.fixture
def shared(large: Store) -> Iterator[Shared]:
    """A server that has little patience, and room for three connections."""
    patience = Patience(idle=1.0, head=0.5, stall=0.5, parting=0.1)
    with sharing(large, Limits(3, 3, patience)) as running:
        yield running


def test_a_pull_that_goes_on_takes_what_is_missing_and_no_more(
    large: Store, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smolctl.registry.sharing.visits.QUIET_SECONDS", 0.0)
    content = LARGE.blobs[LARGE.layers[0]]
    kept = 20 * MEBIBYTE
    store.prepare()
    partial = store.blobs.open_partial(Descriptor.of(content, GGUF))
    assert partial is not None
    with partial:
        partial.write(0, content[:kept])

    with sharing(large, Limits()) as shared, RegistryClient(shared.host) as client:
        reference = Reference.parse(f"{shared.host}/ai/large")
        pulled = pull(store, [Source(client, "ai/large")], reference)
        rest = sum(map(len, LARGE.blobs.values())) - kept
        wait_until(lambda: sum(visit.bytes for visit in shared.visits) == rest)

    assert str(pulled.model.id) == LARGE.id


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"GET / HTTP/9\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"BREW /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"PUT /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\nabc", 405),
        (
            b"POST /v2/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            405,
        ),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /", 200),
        (b"GET /v2/?" + b"a=1&" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /v2/%00%ff/../x/manifests/%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET http://evil.example/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    ],
)
def test_a_request_of_any_shape_has_one_answer(shared: Shared, content: bytes, status: int) -> None:
    answer = shared.say(content)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    json.loads(answer.partition(b"\r\n\r\n")[2])
    assert shared.status() == 200


def test_requests_that_come_together_are_answered_in_turn(shared: Shared) -> None:
    one = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    answer = shared.say(one * 3 + b"HEAD /v2/x HTTP/1.0\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"HTTP/1.1 404 Not Found") == 1


@pytest.mark.parametrize("begun", [b"", b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"])
def test_one_that_sends_no_request_is_hung_up_on(shared: Shared, begun: bytes) -> None:
    assert shared.say(begun, is_all=False) == b""


def test_one_that_sends_a_byte_at_a_time_is_hung_up_on(shared: Shared) -> None:
    with shared.connect(b"GET") as stream:
        stream.settimeout(0.05)
        # Each byte comes in time, the whole does not.
        for _ in range(100):
            try:
                stream.sendall(b"a")
                if stream.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except OSError:
                return
    pytest.fail("it was listened to for five seconds")


def test_one_that_takes_nothing_is_hung_up_on_and_keeps_nobody(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smolctl.registry.sharing.visits.QUIET_SECONDS", 0.0)
    request = f"GET {BLOB} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with shared.connect(request), shared.connect(request):
        assert shared.status() == 200
        assert shared.told.wait(SECONDS)

    (visit,) = shared.visits
    assert not visit.whole
    assert 0 < visit.bytes < 2 * len(LARGE.blobs[LARGE.layers[0]])


def test_more_connections_than_there_may_be_are_asked_to_come_again(large: Store) -> None:
    with sharing(large, Limits(connections=8, of_one_peer=2)) as shared:
        first, second = shared.connect(), shared.connect()
        with second:
            with first:
                # They are counted in the order in which they came.
                refused = shared.say(b"", is_all=False)
                assert refused.startswith(b"HTTP/1.1 429 ")
                assert b"Retry-After:" in refused
                body = refused.partition(b"\r\n\r\n")[2]
                assert json.loads(body)["errors"][0]["code"] == "TOOMANYREQUESTS"
            first.close()
            # Once it is noticed that one has gone.
            wait_until(lambda: _is_served(shared))


def _is_served(shared: Shared) -> bool:
    try:
        return shared.say(b"GET /v2/ HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    except OSError:  # as it is where a refusal did not wait for what was asked
        return False


def test_who_does_not_read_what_is_told_of_pulls_keeps_no_connection_waiting(large: Store) -> None:
    with sharing(large, Limits()) as shared:
        shared.reads.clear()
        connection = http.client.HTTPConnection(shared.host, timeout=SECONDS)
        try:
            for digest in LARGE.blobs.keys() - {LARGE.id}:
                connection.request("GET", f"/v2/ai/large/blobs/{digest}")
                assert connection.getresponse().read() == LARGE.blobs[digest]
            assert shared.told.wait(SECONDS)
            for _ in range(1000):
                connection.request("GET", BLOB, headers={"Range": "bytes=0-0"})
                assert connection.getresponse().read() == b"\0"
        finally:
            shared.reads.set()
            connection.close()
