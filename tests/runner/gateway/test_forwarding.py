"""Requests to models: who answers, what passes through, and what happens when a worker dies."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import EngineBusy, NotRunnable
from smolctl.runner import workers
from smolctl.runner.api.body import MAXIMUM_BODY
from smolctl.runner.gateway import forwarding, routing
from smolctl.store.store import Store
from tests.runner.gateway.conftest import CHAT, MODEL, OTHER, Gateway, error_of
from tests.support.fake_worker import Hanging, HangUp, answering, dying, streaming

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fake_worker import Asked

WAIT_SECONDS = 30
ANSWER = b'{"choices": []}'
TOO_LONG = (
    b'{"error": {"message": "no", "code": "context_length_exceeded",'
    b' "n_prompt_tokens": 300, "n_ctx": 256}}'
)
DIFFERS = b'{"error": {"message": "", "type": "", "param": null, "code": "worker_differs"}}'


@pytest.fixture(scope="module")
def shared(demo_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose worker answers with what it was asked; for tests that leave it so."""

    def tell(connection: socket.socket, asked: Asked) -> None:
        answering(json.dumps({"asked": asked.line}).encode())(connection, asked)

    with ExitStack() as stack:
        made = Gateway(demo_store, tmp_path_factory.mktemp("gateway"), stack)
        made.worker(tell)
        yield made


class TestARequest:
    def test_reaches_the_worker_as_it_is_and_the_answer_comes_back(self, gateway: Gateway) -> None:
        worker = gateway.worker(answering(ANSWER))

        answer = gateway.chat(seed=1)

        assert (answer.status_code, answer.content) == (200, ANSWER)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-own"] == "yes"
        assert answer.headers["server"] != "none"
        (asked,) = worker.asked
        assert asked.line == "POST /v1/chat/completions HTTP/1.1"
        assert json.loads(asked.body) == {**CHAT, "seed": 1}
        model = gateway.store.get(MODEL)
        assert asked.headers["x-smolctl-model-id"] == str(model.id)

    def test_brings_the_worker_no_key_and_none_of_our_own_headers(self, gateway: Gateway) -> None:
        worker = gateway.worker(answering(ANSWER))
        headers = {
            "Authorization": "Bearer secret",
            "Cookie": "secret",
            "X-Smolctl-Model-ID": "sha256:0",
            "X-Smolctl-Expect": "{}",
        }

        gateway.client.post("/v1/chat/completions", json=CHAT, headers=headers)

        (asked,) = worker.asked
        assert "secret" not in str(asked.headers)
        assert asked.headers["x-smolctl-model-id"] == str(gateway.store.get(MODEL).id)
        assert asked.headers["x-smolctl-expect"] == "what it expects"
        assert asked.headers["x-smolctl-keep-alive"] == "60"

    def test_may_say_how_long_the_model_is_to_stay(self, gateway: Gateway) -> None:
        worker = gateway.worker(answering(ANSWER))

        headers = {"X-Smolctl-Keep-Alive": "5m"}
        gateway.client.post("/v1/chat/completions", json=CHAT, headers=headers)

        assert worker.asked[0].headers["x-smolctl-keep-alive"] == "5m"

    @pytest.mark.parametrize("prefix", ["/v1", "/engines/v1", "/engines/llama.cpp/v1"])
    @pytest.mark.parametrize("operation", ["chat/completions", "completions", "embeddings"])
    def test_is_taken_at_every_address(self, shared: Gateway, prefix: str, operation: str) -> None:
        answer = shared.client.post(f"{prefix}/{operation}", json={"model": MODEL})

        assert answer.json() == {"asked": f"POST /v1/{operation} HTTP/1.1"}

    @pytest.mark.parametrize("path", ["/worker", "/v1/worker", "/worker/unload", "/v1/worker/x"])
    def test_reaches_nothing_else_of_the_worker(self, shared: Gateway, path: str) -> None:
        error_of(shared.client.post(path, json={"model": MODEL}), 404)

    def test_that_the_worker_refuses_is_refused(self, gateway: Gateway) -> None:
        gateway.worker(answering(b'{"error": 1}', "429 Too Many Requests"))

        answer = gateway.chat(stream=True)

        assert (answer.status_code, answer.json()) == (429, {"error": 1})

    @pytest.mark.parametrize("name", ["demo/smolctl-demo:latest", "DEMO/smolctl-demo", "its ID"])
    def test_finds_its_model_under_any_of_its_names(self, shared: Gateway, name: str) -> None:
        name = shared.store.get(MODEL).id.short if name == "its ID" else name

        assert shared.chat(model=name).status_code == 200

    def test_asks_for_the_worker_once(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER))

        for name in (MODEL, f"docker.io/{MODEL}", MODEL):
            assert gateway.chat(model=name).status_code == 200

        assert gateway.workers.obtained == [MODEL]


class TestWhatMakesNoSense:
    @pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'"model"'])
    def test_is_no_request(self, shared: Gateway, body: bytes) -> None:
        error = error_of(shared.client.post("/v1/chat/completions", content=body), 400)
        assert error["type"] == "invalid_request_error"

    @pytest.mark.parametrize("model", [None, 1, "", ["x"], {}])
    def test_names_no_model(self, shared: Gateway, model: object) -> None:
        assert error_of(shared.chat(model=model), 400)["param"] == "model"

    @pytest.mark.parametrize("model", ["a b", "../x", "x:y:z", "\x00", "a/" * 600])
    def test_is_no_name(self, shared: Gateway, model: str) -> None:
        assert error_of(shared.chat(model=model), 400)["param"] == "model"

    def test_is_a_model_that_is_not_here(self, shared: Gateway) -> None:
        error = error_of(shared.chat(model="ai/none"), 404)
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert "smolctl model pull" in error["message"]

    def test_is_too_large(self, shared: Gateway) -> None:
        answer = shared.client.post("/v1/chat/completions", content=bytes(MAXIMUM_BODY + 1))
        assert str(MAXIMUM_BODY) in error_of(answer, 413)["message"]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/v1/chat/completions", 405), ("POST", "/v1/none", 404), ("GET", "/none", 404)],
    )
    def test_is_no_address(self, shared: Gateway, method: str, path: str, status: int) -> None:
        error_of(shared.client.request(method, path), status)


class TestAStream:
    def test_comes_piece_by_piece(self, gateway: Gateway) -> None:
        seen = threading.Event()
        gateway.worker(
            streaming(b"data: 1\n\n", lambda: seen.wait(WAIT_SECONDS), b"data: [DONE]\n\n")
        )

        with gateway.client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            pieces = answer.iter_raw()
            assert next(pieces) == b"data: 1\n\n"
            seen.set()
            assert list(pieces) == [b"data: [DONE]\n\n"]
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"

    def test_that_nobody_reads_is_broken_off_at_the_worker(self, gateway: Gateway) -> None:
        hang_up = HangUp()
        gateway.worker(hang_up)

        with gateway.client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            next(answer.iter_raw())

        assert hang_up.noticed.wait(WAIT_SECONDS)

    def test_whose_worker_dies_ends_with_an_error(self, gateway: Gateway) -> None:
        gateway.worker(streaming(b"data: 1\n\n", ending=False))

        answer = gateway.chat(stream=True)

        first, second = answer.text.removesuffix("\n\n").split("\n\n")
        assert first == "data: 1"
        error = json.loads(second.removeprefix("data: "))["error"]
        assert error["type"] == "server_error"
        assert "ended unexpectedly" in error["message"]
        assert gateway.workers.obtained == [MODEL]

    def test_half_an_event_of_a_worker_that_died_is_left_out(self, gateway: Gateway) -> None:
        gateway.worker(streaming(b'data: 1\n\ndata: {"half', ending=False))

        events = gateway.chat(stream=True).text.split("\n\n")

        assert "half" not in "".join(events)
        assert json.loads(events[1].removeprefix("data: "))["error"]

    def test_is_answered_by_a_fresh_worker_after_that(self, gateway: Gateway) -> None:
        gateway.worker(streaming(b"data: 1\n\n", ending=False))
        gateway.chat(stream=True)
        gateway.worker(answering(ANSWER))

        assert gateway.chat().content == ANSWER
        assert gateway.workers.obtained == [MODEL, MODEL]


class TestAWorkerThatIsGone:
    def test_is_replaced(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER), dying)
        assert gateway.chat().status_code == 200
        gateway.worker(answering(b'{"fresh": true}'))

        assert gateway.chat().json() == {"fresh": True}

    def test_is_replaced_when_its_socket_is_gone_too(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER)).path.unlink()
        old = gateway.workers.start

        def start(name: str) -> Path:
            path = old(name)
            gateway.worker(answering(b'{"fresh": true}'))
            return path

        gateway.workers.start = start
        assert gateway.chat().json() == {"fresh": True}

    def test_is_replaced_once(self, gateway: Gateway) -> None:
        worker = gateway.worker(dying)

        error = error_of(gateway.chat(), 503)

        assert "ended unexpectedly" in error["message"]
        assert len(worker.asked) == 2

    def test_or_was_started_for_something_else_is_asked_for_anew(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER), answering(DIFFERS, "409 Conflict"), answering(b"{}"))
        assert gateway.chat().content == ANSWER

        assert gateway.chat().content == b"{}"
        assert gateway.workers.obtained == [MODEL, MODEL]


class TestAWorkerThatSaysNothing:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(forwarding, "SILENCE_SECONDS", 0.05)
        monkeypatch.setattr(workers, "_PATIENCE_SECONDS", 0.1)

    def test_and_answers_no_other_question_is_an_error(self, gateway: Gateway) -> None:
        hanging = Hanging()
        gateway.worker(hanging)

        error = error_of(gateway.chat(), 503)

        hanging.over.set()
        assert "does not answer" in error["message"]

    def test_in_the_middle_of_a_stream_neither(self, gateway: Gateway) -> None:
        hanging = Hanging()
        gateway.worker(streaming(b"data: 1\n\n", hanging), hanging)

        first, error = gateway.chat(stream=True).text.strip().split("\n\n")

        hanging.over.set()
        assert first == "data: 1"
        assert "does not answer" in json.loads(error.removeprefix("data: "))["error"]["message"]

    def test_is_waited_for_while_it_answers_others(self, gateway: Gateway) -> None:
        asked = threading.Semaphore(0)

        def wait() -> None:
            for _ in range(3):
                assert asked.acquire(timeout=WAIT_SECONDS)

        def status(connection: socket.socket, asking: Asked) -> None:
            answering(b"{}")(connection, asking)
            asked.release()

        gateway.worker(streaming(wait, b"data: 1\n\n", wait, b"data: [DONE]\n\n"), status)

        assert gateway.chat(stream=True).text == "data: 1\n\ndata: [DONE]\n\n"


class TestAWorkerWhoseContextIsTooSmall:
    """Somebody's `--ctx-size`: see `obtain_worker`."""

    def test_is_replaced_where_there_is_room_for_the_prompt(self, gateway: Gateway) -> None:
        gateway.worker(answering(TOO_LONG, "400 Bad Request"), answering(ANSWER))
        gateway.workers.room = 301

        assert gateway.chat().content == ANSWER

    def test_refuses_the_prompt_where_there_is_none(self, gateway: Gateway) -> None:
        worker = gateway.worker(answering(TOO_LONG, "400 Bad Request"))
        gateway.workers.room = 300

        answer = gateway.chat()

        assert (answer.status_code, answer.content, len(worker.asked)) == (400, TOO_LONG, 1)


def test_the_index_is_read_when_it_has_changed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bool] = []
    state = "as it was"
    find = Store.find

    def noted(store: Store, name: str) -> object:
        with pytest.raises(RuntimeError):  # it would hold up the event loop
            asyncio.get_running_loop()
        looked.append(True)
        return find(store, name)

    monkeypatch.setattr(Store, "find", noted)
    monkeypatch.setattr(routing, "state_of", lambda _: state)
    gateway.worker(answering(ANSWER))

    assert [gateway.chat().status_code for _ in range(2)] == [200, 200]
    assert len(looked) == 1
    state = "another"
    assert gateway.chat().status_code == 200
    assert len(looked) == 2


class TestAWorkerThatDoesNotStart:
    @pytest.mark.parametrize(
        ("error", "status"),
        [(NotRunnable("no room", hint="Buy some."), 503), (EngineBusy("x"), 429)],
    )
    def test_is_an_error(self, gateway: Gateway, error: NotRunnable, status: int) -> None:
        def fail(_: str) -> Path:
            raise error

        gateway.workers.start = fail

        answer = gateway.chat()
        said = error_of(answer, status)

        assert ("retry-after" in answer.headers) == (status == 429)
        assert said["message"] == (f"{error.message}. {error.hint}" if error.hint else "x")

    def test_is_tried_again_with_the_next_request(self, gateway: Gateway) -> None:
        works = gateway.workers.start

        def fail(_: str) -> Path:
            gateway.workers.start = works
            raise NotRunnable("not yet")

        gateway.workers.start = fail
        gateway.worker(answering(ANSWER))

        error_of(gateway.chat(), 503)
        assert gateway.chat().content == ANSWER


class Loading:
    """A start of `MODEL`'s worker that lasts until `done` is set."""

    def __init__(self, gateway: Gateway) -> None:
        self.begun = threading.Event()
        self.done = threading.Event()
        self._start = gateway.workers.start
        gateway.workers.start = self

    def __call__(self, name: str) -> Path:
        if name == MODEL:
            self.begun.set()
            assert self.done.wait(WAIT_SECONDS)
        return self._start(name)


class TestAModelThatIsLoading:
    def test_is_waited_for_together(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER))
        loading = Loading(gateway)
        assert gateway.client

        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(gateway.chat) for _ in range(4)]
            assert loading.begun.wait(WAIT_SECONDS)
            loading.done.set()
            assert [answer.result().status_code for answer in answers] == [200] * 4

        assert gateway.workers.obtained == [MODEL]

    def test_holds_up_no_other(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER))
        loading = Loading(gateway)
        assert gateway.client

        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(gateway.chat)
            assert loading.begun.wait(WAIT_SECONDS)
            assert gateway.chat(model=OTHER).status_code == 200
            assert not slow.done()
            loading.done.set()
            assert slow.result().status_code == 200

    def test_goes_on_loading_when_who_asked_hangs_up(self, gateway: Gateway) -> None:
        gateway.worker(answering(ANSWER))
        loading = Loading(gateway)

        with pytest.raises(Exception, match="timed out"):
            gateway.client.post("/v1/chat/completions", json=CHAT, timeout=0.2)
        assert loading.begun.is_set()
        loading.done.set()

        assert gateway.chat().status_code == 200
        assert gateway.workers.obtained == [MODEL]
