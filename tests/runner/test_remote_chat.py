"""A chat with a model elsewhere: what a server's answers mean, and when it is asked again."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.engine.conversation import ChatRequest, Delta, Message, ToolCallDelta
from smolctl.engine.generation import Timings, Usage
from smolctl.engine.sampling import Sampling
from smolctl.errors import (
    AccessDenied,
    EngineBusy,
    ModelNotFound,
    NotRunnable,
    PromptTooLong,
    RegistryUnavailable,
    SmolctlError,
    UsageError,
)
from smolctl.runner import connection, workers
from smolctl.runner.connection import ConnectionLost, Endpoint
from smolctl.runner.remote_chat import RemoteChat, Start
from tests.support.fake_worker import FakeWorker, Hanging, answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.fake_worker import Asked

CHAT = ChatRequest((Message("user", "hi"),), Sampling(temperature=0))
DONE = "data: [DONE]\n\n"


def chunk(**fields: Any) -> str:
    return f"data: {json.dumps(fields)}\n\n"


def content(text: str) -> str:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def answer(status: int, *body: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\n\r\n{''.join(body)}".encode()


def failure(status: int, message: str, code: str | None = None) -> bytes:
    return answer(status, json.dumps({"error": {"message": message, "code": code}}))


class Server:
    """Gives each connection the next of `answers`, and keeps the requests."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(host="127.0.0.1", port=self._listener.getsockname()[1])

    def run(self) -> None:
        for said in self._answers:
            made, _ = self._listener.accept()
            with made, made.makefile("rb") as file:
                head = b""
                while (line := file.readline()) not in (b"\r\n", b""):
                    head += line
                size = int(head.lower().partition(b"content-length:")[2].split()[0])
                self.requests.append(head + file.read(size))
                made.sendall(said)
        self._listener.close()


@contextmanager
def serving(*answers: bytes) -> Iterator[Server]:
    server = Server(*answers)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    thread.join()


def replied(model: RemoteChat) -> list[Delta]:
    with model.reply(CHAT) as reply:
        return list(reply)


def test_a_reply_comes_in_pieces_with_its_costs() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    stream = [
        chunk(choices=[{"delta": {"role": "assistant", "content": ""}}]),
        chunk(choices=[{"delta": {"reasoning_content": "hm"}}]),
        content("Pa"),
        content("ris"),
        chunk(choices=[{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]),
        chunk(
            choices=[],
            usage={"prompt_tokens": 9, "completion_tokens": 2,
                   "prompt_tokens_details": {"cached_tokens": 8}},
            timings={"queued_ms": 1, "prompt_ms": 2.0, "first_token_ms": 3, "predicted_ms": 4},
        ),
        DONE,
    ]  # fmt: skip
    with serving(answer(200, *stream)) as server:
        model = RemoteChat("m", server.endpoint, {"Authorization": "Bearer k"})
        with model.reply(CHAT) as reply:
            assert reply.usage is reply.timings is None
            assert list(reply) == [
                Delta(reasoning="hm"),
                Delta(content="Pa"),
                Delta(content="ris"),
                Delta(tool_call=ToolCallDelta(0, "c", "f", "{}")),
            ]
            assert reply.finish_reason == "tool_calls"
            assert reply.usage == Usage(9, 8, 2)
            assert reply.timings == Timings(0.001, 0.002, 0.003, 0.004)
    head, _, body = server.requests[0].partition(b"{")
    assert b"Authorization: Bearer k\r\n" in head
    asked = json.loads(b"{" + body)
    assert asked["messages"] == [{"role": "user", "content": "hi"}]
    assert (asked["model"], asked["temperature"], asked["stream"]) == ("m", 0, True)


@pytest.mark.parametrize(
    ("said", "kind", "message", "hint"),
    [
        (failure(400, "too long. Shorten it.", "context_length_exceeded"),
         PromptTooLong, "too long", "Shorten it."),
        (failure(400, "top_p is 7"), UsageError, "top_p is 7", None),
        (failure(401, "no key"), AccessDenied, "no key", None),
        (failure(404, "no such model", "model_not_found"), ModelNotFound, "no such model", None),
        (failure(429, "full. Try again later.", "queue_full"),
         EngineBusy, "full", "Try again later."),
        (failure(500, "broken"), NotRunnable, "broken", None),
        (answer(502, "<html>"), NotRunnable, "status 502", None),
        (answer(503, "[" * 100_000), NotRunnable, "status 503", None),
        (answer(500, '{"error": "as text"}'), NotRunnable, "as text", None),
        (answer(200, content("Pa"), chunk(error={"message": "broken"})),
         NotRunnable, "broken", None),
    ],
)  # fmt: skip
def test_an_error_is_what_it_is_here(
    said: bytes, kind: type[SmolctlError], message: str, hint: str | None
) -> None:
    with serving(said) as server, pytest.raises(kind, match=message) as caught:
        replied(RemoteChat("m", server.endpoint, {}))
    assert caught.value.hint == hint


@pytest.mark.parametrize("rest", ["", 'data: {"choices": [{"del'])
def test_a_stream_that_breaks_off_is_an_error_after_what_came(rest: str) -> None:
    came: list[str] = []
    with serving(answer(200, content("Pa"), rest)) as server:
        model = RemoteChat("m", server.endpoint, {})
        with model.reply(CHAT) as reply, pytest.raises(NotRunnable, match="in the middle"):
            came.extend(delta.content for delta in reply)
    assert came == ["Pa"]


def test_a_crash_is_told_from_the_workers_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("2026-01-01 00:00:00 --- smolctl\n2026-01-01 00:00:01 llama.cpp crashed: odd\n")
    with serving(answer(200, content("Pa"))) as server:
        model = RemoteChat("m", server.endpoint, {}, log=log)
        with pytest.raises(NotRunnable, match="crashed: odd") as caught:
            replied(model)
    assert str(log) in (caught.value.hint or "")


def test_what_makes_no_sense_in_a_stream_is_passed_over() -> None:
    nonsense = ["data: {\n", "data: [1]\n", chunk(choices=7), chunk(choices=[{"delta": [1]}, 3])]
    with serving(answer(200, *nonsense, content("Paris"), DONE)) as server:
        assert replied(RemoteChat("m", server.endpoint, {})) == [Delta(content="Paris")]


DIFFERS = failure(409, "it has 512 tokens", "worker_differs")
PARIS = answer(200, content("Paris"), DONE)


def starter(started: list[int], context_size: int = 256) -> Callable[[int], Start]:
    """What starts a model, and notes for how many tokens it was to."""

    def start(tokens: int) -> Start:
        started.append(tokens)
        return Start(context_size, sequences=4, load_seconds=0.5)

    return start


@pytest.mark.parametrize("first", [b"", DIFFERS], ids=["leaving", "another"])
def test_a_worker_that_leaves_or_differs_gives_way_to_another(first: bytes) -> None:
    started: list[int] = []
    with serving(first, PARIS) as server:
        model = RemoteChat("m", server.endpoint, {}, start=starter(started))
        assert replied(model) == [Delta(content="Paris")]
    assert started == [0]
    assert server.requests[0] == server.requests[1]


def test_that_comes_to_an_end() -> None:
    started: list[int] = []
    with serving(b"", b"", b"") as server, pytest.raises(ConnectionLost):
        replied(RemoteChat("m", server.endpoint, {}, start=starter(started)))
    assert started == [0, 0]


TOO_LONG = answer(
    400,
    json.dumps(
        {"error": {"message": "too long", "code": "context_length_exceeded",
                   "n_prompt_tokens": 300, "n_ctx": 256}}
    ),
)  # fmt: skip


def test_a_prompt_that_is_too_long_is_asked_again_where_there_is_room_for_it() -> None:
    started: list[int] = []
    with serving(TOO_LONG, PARIS) as server:
        model = RemoteChat("m", server.endpoint, {}, start=starter(started, 512))
        assert replied(model) == [Delta(content="Paris")]
    assert (started, model.context_size) == ([301], 512)


def test_one_for_which_there_is_no_room_is_not_asked_again() -> None:
    started: list[int] = []
    with serving(TOO_LONG) as server, pytest.raises(PromptTooLong):
        replied(RemoteChat("m", server.endpoint, {}, start=starter(started)))
    assert started == [301]


def test_an_answer_that_has_begun_is_not_asked_for_again() -> None:
    started: list[int] = []
    with serving(b"HTTP/1.1 200") as server, pytest.raises(ConnectionLost):
        replied(RemoteChat("m", server.endpoint, {}, start=starter(started)))
    assert started == []


def test_a_worker_that_hangs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0)
    monkeypatch.setattr(workers, "_PATIENCE_SECONDS", 0.1)
    hanging = Hanging()
    with FakeWorker(tmp_path / "w.sock", hanging) as fake:
        model = RemoteChat("m", Endpoint(fake.path), {}, start=starter([]))
        with pytest.raises(NotRunnable, match="does not answer") as caught:
            replied(model)
        hanging.over.set()
    assert "unload --all" in (caught.value.hint or "")


def test_one_that_takes_its_time_to_answer_anything_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that swaps: a question of `ps` is given up long before."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0)
    monkeypatch.setattr(workers, "_ANSWER_SECONDS", 0)
    asked = threading.Event()

    def thinking(server: socket.socket, _: Asked) -> None:
        assert asked.wait(30)
        server.sendall(PARIS)

    def slow(server: socket.socket, asking: Asked) -> None:
        time.sleep(0.3)  # the wait itself is what is tried
        answering(b"{}")(server, asking)
        asked.set()

    with FakeWorker(tmp_path / "w.sock", thinking, slow) as fake:
        model = RemoteChat("m", Endpoint(fake.path), {}, start=starter([]))
        assert replied(model) == [Delta(content="Paris")]


def test_nobody_is_started_behind_a_gateway() -> None:
    with serving(b"") as server, pytest.raises(RegistryUnavailable):
        replied(RemoteChat("m", server.endpoint, {}))
