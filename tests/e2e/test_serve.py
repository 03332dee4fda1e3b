"""`smolctl serve`, with real workers behind it and OpenAI's own client before it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from tests.support.faulty_registry import FaultyRegistry, Packed
from tests.support.processes import Smolctl
from tests.support.questions import ANSWERS
from tests.support.waiting import wait_for_end, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from smolctl.store.store import Store

WAIT_SECONDS = 30
MODEL = "demo/smolctl-demo"
QUESTION, ANSWER = next(iter(ANSWERS.items()))
ASKED: list[Any] = [{"role": "user", "content": QUESTION}]
ENDLESS = {"grammar": "root ::= [a-z ] root"}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


class Served:
    """A `smolctl serve` that runs, at `url`."""

    def __init__(self, smolctl: Smolctl, *flags: str) -> None:
        self.smolctl = smolctl
        self.process = smolctl.start("serve", "--port", "0", *flags)
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline().decode()
        assert "http://" in self.said, self.said + self.process.stderr.read().decode()
        self.url = "http://" + self.said.split("http://")[1].split()[0].rstrip(".")
        self.http = httpx2.Client(base_url=self.url, timeout=WAIT_SECONDS)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, prefix: str = "/v1") -> openai.OpenAI:
        return openai.OpenAI(
            base_url=self.url + prefix, api_key="none", max_retries=0, timeout=WAIT_SECONDS
        )

    def worker(self) -> dict[str, Any]:
        """What the one worker that runs says of itself."""
        (worker,) = self.http.get("/engines/ps").json()
        found: dict[str, Any] = worker
        return found

    def close(self) -> None:
        """End the gateway and its workers."""
        self.http.close()
        self.smolctl.close()


def demo_smolctl(folder: Path, demo_store: Store) -> Smolctl:
    made = Smolctl(folder)
    shutil.copytree(demo_store.root, made.home)
    return made


@pytest.fixture(scope="module")
def served(demo_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway with the demo models; for tests that leave it as it was."""
    smolctl = demo_smolctl(tmp_path_factory.mktemp("s"), demo_store)
    with closing(Served(smolctl, "--keep-alive", "2m", "--parallel", "4")) as running:
        yield running


@pytest.fixture
def own(demo_store: Store, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a gateway of the test's own, with these flags."""
    started: list[Served] = []

    def start(*flags: str, **environment: str) -> Served:
        smolctl = demo_smolctl(tmp_path, demo_store)
        smolctl.environment.update(environment)
        started.append(Served(smolctl, *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


class TestOpenAIsClient:
    @pytest.mark.parametrize("prefix", ["/v1", "/engines/v1", "/engines/llama.cpp/v1"])
    def test_gets_an_answer(self, served: Served, prefix: str) -> None:
        reply = served.client(prefix).chat.completions.create(
            model=MODEL, messages=ASKED, temperature=0
        )
        assert reply.choices[0].message.content == ANSWER

    def test_gets_a_stream(self, served: Served) -> None:
        chunks = list(
            served.client().chat.completions.create(
                model=MODEL, messages=ASKED, temperature=0, stream=True
            )
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
        assert len(chunks) > 3

    def test_gets_a_tool_call(self, served: Served) -> None:
        reply = served.client().chat.completions.create(
            model=MODEL,
            messages=ASKED,
            tools=[WEATHER],
            tool_choice="required",
            parallel_tool_calls=False,
            temperature=0,
        )
        (call,) = reply.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert (call.function.name, call.function.arguments) == ("weather", "{}")

    def test_gets_a_completion(self, served: Served) -> None:
        reply = served.client().completions.create(
            model=MODEL, prompt="Say", extra_body={"grammar": 'root ::= "hello"'}
        )
        assert reply.choices[0].text == "hello"

    def test_gets_embeddings(self, served: Served) -> None:
        reply = served.client().embeddings.create(model=MODEL, input=["one", "two"])
        assert [item.index for item in reply.data] == [0, 1]
        assert sum(value**2 for value in reply.data[0].embedding) == pytest.approx(1, rel=1e-3)

    def test_sees_the_models(self, served: Served) -> None:
        names = [model.id for model in served.client().models.list()]
        assert f"{MODEL}:latest" in names
        assert served.client().models.retrieve(MODEL).id == f"{MODEL}:latest"

    def test_hears_of_a_model_that_is_not_here(self, served: Served) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            served.client().chat.completions.create(model="ai/none", messages=ASKED)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    def test_hears_what_the_worker_refuses(self, served: Served) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            served.client().chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "word " * 20_000}]
            )
        assert caught.value.code == "context_length_exceeded"

    def test_sixteen_at_once_all_get_theirs(self, served: Served) -> None:
        client = served.client()

        def ask(question: str) -> str | None:
            reply = client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": question}], temperature=0
            )
            return reply.choices[0].message.content

        questions = list(ANSWERS)[:16]
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, questions)) == [ANSWERS[each] for each in questions]

    def test_that_hangs_up_stops_the_generation(self, served: Served) -> None:
        stream = served.client().chat.completions.create(
            model=MODEL, messages=ASKED, stream=True, extra_body=ENDLESS
        )
        next(iter(stream))
        assert served.worker()["busy"] == 1
        stream.close()
        wait_until(lambda: served.worker()["busy"] == 0)


def test_a_worker_that_is_killed_ends_its_streams_and_is_replaced(
    own: Callable[..., Served],
) -> None:
    served = own("--keep-alive", "2m")
    stream = served.client().chat.completions.create(
        model=MODEL, messages=ASKED, stream=True, extra_body=ENDLESS
    )
    chunks = iter(stream)
    next(chunks)

    os.kill(served.worker()["pid"], signal.SIGKILL)

    with pytest.raises(openai.APIError, match="ended unexpectedly"):
        list(chunks)
    reply = served.client().chat.completions.create(model=MODEL, messages=ASKED, temperature=0)
    assert reply.choices[0].message.content == ANSWER


def test_a_worker_that_is_killed_between_requests_is_not_missed(
    own: Callable[..., Served],
) -> None:
    served = own("--keep-alive", "2m")
    for _ in range(2):
        reply = served.client().chat.completions.create(model=MODEL, messages=ASKED, temperature=0)
        assert reply.choices[0].message.content == ANSWER
        os.kill(served.worker()["pid"], signal.SIGKILL)


def test_models_are_pulled_run_and_removed(
    own: Callable[..., Served], registry: FaultyRegistry, demo_store: Store
) -> None:
    served = own("--keep-alive", "2m", SMOLCTL_DEFAULT_REGISTRY=registry.host)
    published = registry.publish("ai/small", "latest", Packed.of(demo_store, demo_store.get(MODEL)))

    answer = served.http.post("/models/create", json={"from": "small"})

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["type"] == "success"
    reply = served.client().chat.completions.create(model="small", messages=ASKED, temperature=0)
    assert reply.choices[0].message.content == ANSWER
    assert [item["id"] for item in served.http.get("/models").json()].count(published.id) == 1
    pid = served.worker()["pid"]
    for model in served.http.get("/models").json():
        assert served.http.delete(f"/models/{model['id']}?force=true").status_code == 200
    assert served.http.get("/models").json() == []
    assert served.http.get("/engines/ps").json() == []
    wait_for_end(pid)


def test_run_finds_its_models_behind_it(own: Callable[..., Served]) -> None:
    served = own(SMOLCTL_API_KEY="s3cret")
    served.smolctl.environment["SMOLCTL_HOST"] = served.url

    done = served.smolctl("model", "run", MODEL, QUESTION, "--temperature", "0", expect=0)

    assert done.stdout == f"{ANSWER}\n"
    del served.smolctl.environment["SMOLCTL_API_KEY"]
    served.smolctl("model", "run", MODEL, QUESTION, expect=4)


def test_models_stay_as_long_as_it_says(own: Callable[..., Served]) -> None:
    served = own("--keep-alive", "-1")
    served.smolctl("model", "run", MODEL, QUESTION, "--keep-alive", "1m", expect=0)
    assert served.worker()["expires_at"] is not None

    served.client().chat.completions.create(model=MODEL, messages=ASKED)

    assert served.worker()["expires_at"] is None


class TestWhoMay:
    def ask(self, served: Served, *headers: str) -> str:
        """The first line of the answer to `GET /models` with these headers alone."""
        with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_SECONDS) as raw:
            lines = ["GET /models HTTP/1.1", *headers, "Connection: close", "", ""]
            raw.sendall("\r\n".join(lines).encode())
            return raw.makefile("rb").readline().decode()

    def test_by_host(self, served: Served) -> None:
        assert "200" in self.ask(served, f"Host: localhost:{served.port}")
        assert "403" in self.ask(served, f"Host: evil.example:{served.port}")
        assert "400" in self.ask(served)

    def test_by_origin(self, served: Served) -> None:
        assert "403" in self.ask(served, "Host: localhost", "Origin: https://evil.example")
        assert "403" in self.ask(served, "Host: localhost", "Sec-Fetch-Site: cross-site")

    def test_by_key(self, own: Callable[..., Served], tmp_path: Path) -> None:
        (tmp_path / "key").write_text("s3cret\n")
        served = own("--api-key-file", str(tmp_path / "key"), "--allow-origin", "*")

        with pytest.raises(openai.AuthenticationError):
            served.client().models.list()
        assert list(served.client().copy(api_key="s3cret").models.list())
        with closing(httpx2.Client(base_url=served.url)) as page:
            headers = {"Origin": "https://app.example", "Authorization": "Bearer s3cret"}
            answer = page.get("/v1/models", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"


class TestListening:
    def test_says_where(self, served: Served) -> None:
        assert f"listens on {served.url}" in served.said
        assert f"{served.url}/v1" in served.said

    def test_beyond_loopback_needs_a_key(self, smolctl: Smolctl) -> None:
        done = smolctl("serve", "--host", "0.0.0.0", "--port", "0", expect=2)
        assert "needs an API key" in done.stderr
        assert len(done.stderr_lines) == 2

    def test_beyond_loopback_works_with_one(self, own: Callable[..., Served]) -> None:
        served = own("--host", "0.0.0.0", SMOLCTL_API_KEY="s3cret")
        assert served.http.get("/health").status_code == 200
        assert served.http.get("/models").status_code == 401

    @pytest.mark.parametrize(
        "flags",
        [
            ("--allow-origin", "*"),
            ("--allow-origin", "app.example"),
            ("--allow-host", "a:1"),
            ("--api-key", ""),
            ("--api-key", "a", "--api-key-file", "b"),
            ("--host", "no such host"),
            ("--keep-alive", "long"),
            ("--parallel", "0"),
            ("--port", "65536"),
        ],
        ids=" ".join,
    )
    def test_with_flags_that_make_no_sense(self, smolctl: Smolctl, flags: tuple[str, ...]) -> None:
        done = smolctl("serve", *flags, expect=2)
        assert flags[0] in done.stderr or "API key" in done.stderr

    def test_where_somebody_listens_already(self, smolctl: Smolctl, unused_tcp_port: int) -> None:
        done = smolctl("serve", "--port", str(unused_tcp_port), expect=2)
        assert f"cannot listen on 127.0.0.1:{unused_tcp_port}" in done.stderr

    def test_of_a_key_file_that_is_missing(self, smolctl: Smolctl, tmp_path: Path) -> None:
        done = smolctl("serve", "--api-key-file", tmp_path / "none", expect=2)
        assert "none" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_it_and_leaves_the_workers(
    own: Callable[..., Served], number: signal.Signals, code: int
) -> None:
    served = own("--keep-alive", "2m")
    stream = served.client().chat.completions.create(
        model=MODEL, messages=ASKED, temperature=0, stream=True
    )
    chunks = iter(stream)
    next(chunks)
    pid = served.worker()["pid"]

    served.process.send_signal(number)

    list(chunks)  # what is under way gets a moment
    stdout, stderr = served.process.communicate(timeout=WAIT_SECONDS)
    assert (served.process.returncode, stdout) == (code, b"")
    request = next(line for line in stderr.decode().splitlines() if "chat" in line)
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d 127\.0\.0\.1 POST /v1/chat/completions 200 in [\d.]+ s \({MODEL}\)",
        request,
    )
    assert QUESTION.encode() not in stderr
    assert b"smolctl serve has ended" in stderr
    os.kill(pid, 0)
    assert served.smolctl("model", "ps", expect=0).stdout.count("smolctl-demo") == 1
