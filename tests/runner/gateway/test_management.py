"""Models managed over HTTP: listed, pulled with progress, removed, unloaded."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.model.reference import Reference
from tests.runner.gateway.conftest import MODEL, Gateway, error_of
from tests.support.fake_worker import FakeWorker, answering
from tests.support.faulty_registry import (
    FaultyRegistry,
    Packed,
    Pause,
    error,
    instead,
    pack,
    wrong_bytes,
)
from tests.support.pulling import assert_sound, fetch, unfinished, weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.store.store import Store

CONTENT = weights(3 * 1024 * 1024)
BIG = Packed.of_layers(CONTENT)


@pytest.fixture(scope="module")
def shared(demo_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of the demo models; for tests that change nothing."""
    with ExitStack() as stack:
        yield Gateway(demo_store, tmp_path_factory.mktemp("gateway"), stack)


@pytest.fixture
def name(registry: FaultyRegistry, own_gateway: Gateway) -> str:
    """A model that is here, of the cache that is the test's own."""
    registry.publish("team/model", "v1", pack(annotations={"a": "1"}))
    fetch(own_gateway.store, registry)
    return f"{registry.host}/team/model:v1"


class TestListing:
    @pytest.mark.parametrize("prefix", ["/v1", "/engines/v1", "/engines/llama.cpp/v1"])
    def test_openais_has_an_item_for_each_name(self, shared: Gateway, prefix: str) -> None:
        listed = shared.client.get(f"{prefix}/models").json()

        assert listed["object"] == "list"
        names = [item["id"] for item in listed["data"]]
        tags = [tag for model in shared.store.models() for tag in model.tags]
        assert names == sorted(shared.store.familiar(tag) for tag in tags)
        item = next(item for item in listed["data"] if item["id"] == f"{MODEL}:latest")
        assert item["object"] == "model"
        assert item["dmr"]["architecture"] == "llama"
        assert item["created"] > 1_700_000_000

    @pytest.mark.parametrize("spelling", [MODEL, f"{MODEL}:latest", f"docker.io/{MODEL}"])
    def test_openais_finds_one_by_its_name(self, shared: Gateway, spelling: str) -> None:
        item = shared.client.get(f"/v1/models/{spelling}").json()
        assert item["id"] == f"{MODEL}:latest"

    def test_openais_finds_one_by_its_id(self, shared: Gateway) -> None:
        short = shared.store.get(MODEL).id.short
        assert shared.client.get(f"/engines/v1/models/{short}").json()["id"] == short

    def test_has_every_model(self, shared: Gateway) -> None:
        listed = shared.client.get("/models").json()

        assert {item["id"] for item in listed} == {str(m.id) for m in shared.store.models()}
        item = next(item for item in listed if f"docker.io/{MODEL}:latest" in item["tags"])
        assert item["config"]["format"] == "gguf"
        assert item["config"]["quantization"] == "Q4_K_M"

    def test_has_one_model(self, shared: Gateway) -> None:
        item = shared.client.get(f"/models/{MODEL}").json()
        assert item["id"] == str(shared.store.get(MODEL).id)

    @pytest.mark.parametrize("path", ["/models/ai/none", "/v1/models/ai/none"])
    def test_has_not_what_is_not_here(self, shared: Gateway, path: str) -> None:
        assert error_of(shared.client.get(path), 404)["code"] == "model_not_found"

    @pytest.mark.parametrize("path", ["/models/a%20b", "/v1/models/a:b:c", "/models/%2e%2e/x"])
    def test_takes_no_name_that_is_none(self, shared: Gateway, path: str) -> None:
        error_of(shared.client.get(path), 400)

    def test_asks_no_registry(self, shared: Gateway) -> None:
        error_of(shared.client.get(f"/models/{MODEL}?remote=true"), 501)

    def test_shows_a_damaged_model_beside_the_others(
        self, own_gateway: Gateway, name: str, registry: FaultyRegistry
    ) -> None:
        damaged = own_gateway.store.get(name).id
        registry.publish("team/model", "v2", pack())
        fetch(own_gateway.store, registry, "team/model:v2")
        own_gateway.store.blobs.path(damaged).write_bytes(b"damaged")

        items = own_gateway.client.get("/models").json()
        openais = own_gateway.client.get("/v1/models").json()["data"]

        assert [bool(item["config"]) for item in items] == [False, True]
        assert len(openais) == 2


def create(gateway: Gateway, name: str) -> tuple[int, list[dict[str, Any]]]:
    answer = gateway.client.post("/models/create", json={"from": name})
    return answer.status_code, [json.loads(line) for line in answer.text.splitlines()]


class TestPulling:
    def test_tells_how_it_goes(self, own_gateway: Gateway, registry: FaultyRegistry) -> None:
        published = registry.publish("team/model", "v1", BIG)

        status, lines = create(own_gateway, f"{registry.host}/team/model:v1")

        assert status == 200
        progress = [line for line in lines if line["type"] == "progress"]
        size = sum(map(len, published.blobs.values()))
        assert {line["total"] for line in progress} == {size}
        assert progress[0]["layer"] == {"id": BIG.layers[0], "size": len(CONTENT), "current": 0}
        assert progress[-1]["layer"]["current"] == len(CONTENT)
        assert progress[-1]["message"] == "Downloaded: 3.15 MB"
        assert {line["mode"] for line in lines} == {"pull"}
        assert lines[-1]["type"] == "success"
        assert own_gateway.store.get(f"{registry.host}/team/model:v1")

    def test_comes_line_by_line_and_ends_when_nobody_listens(
        self, own_gateway: Gateway, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", BIG)
        pause = Pause()
        registry.spoil(BIG.layers[0], pause)
        body = {"from": f"{registry.host}/team/model:v1"}

        with own_gateway.client.stream("POST", "/models/create", json=body) as answer:
            lines = answer.iter_lines()
            while json.loads(next(lines))["layer"]["current"] < len(CONTENT) // 2:
                pass
        waiting = [each for each in threading.enumerate() if each.name.startswith("pull ")]
        assert waiting
        for thread in waiting:
            thread.join(30)
            assert not thread.is_alive()

        assert unfinished(own_gateway.store) == [BIG.layers[0]]
        pause.go_on.set()
        registry.heal()
        status, lines_after = create(own_gateway, body["from"])
        assert (status, lines_after[-1]["type"]) == (200, "success")
        asked = [each for each in registry.requests if each.path.endswith(BIG.layers[0])]
        assert int(asked[-1].headers["range"].strip("bytes=-").split("-")[0]) >= 1024 * 1024
        assert_sound(own_gateway.store)

    def test_of_what_is_here_is_done_at_once(self, own_gateway: Gateway, name: str) -> None:
        status, (line,) = create(own_gateway, name)
        assert (status, line["type"]) == (200, "success")
        assert line["message"].startswith("Already here: ")

    def test_of_what_is_nowhere_fails_with_a_status(
        self, own_gateway: Gateway, registry: FaultyRegistry
    ) -> None:
        body = {"from": f"{registry.host}/team/model:none"}
        answer = own_gateway.client.post("/models/create", json=body)
        assert error_of(answer, 404)["code"] == "model_not_found"

    @pytest.mark.parametrize(("status", "ours"), [(401, 401), (403, 401), (500, 502)])
    def test_that_the_registry_refuses_fails_with_a_status(
        self, own_gateway: Gateway, registry: FaultyRegistry, status: int, ours: int
    ) -> None:
        registry.spoil("/v2/", instead(error(status, "UNKNOWN")))
        body = {"from": f"{registry.host}/team/model:v1"}
        error_of(own_gateway.client.post("/models/create", json=body), ours)

    def test_that_fails_later_says_so_in_its_last_line(
        self, own_gateway: Gateway, registry: FaultyRegistry
    ) -> None:
        registry.publish("team/model", "v1", BIG)
        registry.spoil(BIG.layers[0], wrong_bytes)

        status, lines = create(own_gateway, f"{registry.host}/team/model:v1")

        assert status == 200
        assert lines[-1]["type"] == "error"
        assert BIG.layers[0][7:19] in lines[-1]["message"]
        assert own_gateway.store.models() == []

    @pytest.mark.parametrize(
        "body", [{}, {"from": 1}, {"from": ""}, {"from": "a b"}, [], {"from": "sha256:" + "0" * 64}]
    )
    def test_of_nothing_makes_no_sense(self, shared: Gateway, body: object) -> None:
        error_of(shared.client.post("/models/create", json=body), 400)

    def test_takes_no_token_of_the_clients(self, shared: Gateway) -> None:
        body = {"from": "ai/none", "bearer-token": "x"}
        said = error_of(shared.client.post("/models/create", json=body), 400)
        assert said["param"] == "bearer-token"

    def test_keeps_to_mirrors_of_the_configuration(
        self,
        own_gateway: Gateway,
        registry: FaultyRegistry,
        elsewhere: FaultyRegistry,
        tmp_path: Path,
    ) -> None:
        elsewhere.publish("team/model", "v1", pack())
        (tmp_path / "config.toml").write_text(
            f"[registry.'{registry.host}']\nmirrors = ['http://{elsewhere.host}']"
        )

        status, lines = create(own_gateway, f"{registry.host}/team/model:v1")

        assert (status, lines[-1]["type"]) == (200, "success")
        assert registry.requests == []


class TestRemoving:
    def test_takes_the_model_and_its_worker(self, own_gateway: Gateway, name: str) -> None:
        model_id = str(own_gateway.store.get(name).id)

        answer = own_gateway.client.delete(f"/models/{name}")

        assert answer.json() == [{"Untagged": name}, {"Deleted": model_id}]
        assert own_gateway.store.models() == []
        assert own_gateway.workers.unloaded == [[model_id]]

    def test_of_one_name_of_two_leaves_the_model(self, own_gateway: Gateway, name: str) -> None:
        store = own_gateway.store
        store.tag(store.get(name), Reference.parse("team/other"))

        answer = own_gateway.client.delete(f"/models/{name}")

        assert answer.json() == [{"Untagged": name}]
        assert own_gateway.workers.unloaded == []

    def test_by_id_of_one_with_two_names_needs_force(self, own_gateway: Gateway, name: str) -> None:
        store = own_gateway.store
        model = store.get(name)
        store.tag(model, Reference.parse("team/other"))

        refused = own_gateway.client.delete(f"/models/{model.id.short}")
        assert error_of(refused, 409)["code"] == "conflict"
        assert store.get(name)
        done = own_gateway.client.delete(f"/models/{model.id.short}?force=true")
        assert done.json()[-1] == {"Deleted": str(model.id)}

    def test_of_what_is_not_here(self, shared: Gateway) -> None:
        error_of(shared.client.delete("/models/ai/none"), 404)
        error_of(shared.client.delete("/models/a:b:c"), 400)


class TestWorkers:
    def test_are_unloaded_by_the_names_of_models(self, gateway: Gateway) -> None:
        answer = gateway.client.post("/engines/unload", json={"models": [MODEL]})
        assert answer.json() == {"unloaded_runners": 1}
        assert gateway.workers.unloaded == [[str(gateway.store.get(MODEL).id)]]

    def test_are_unloaded_all(self, gateway: Gateway) -> None:
        gateway.client.post("/engines/unload", json={"all": True})
        assert gateway.workers.unloaded == [None]

    @pytest.mark.parametrize("body", [{}, {"models": "x"}, {"models": [1]}, {"all": "yes"}])
    def test_are_left_alone_when_the_request_makes_no_sense(
        self, shared: Gateway, body: object
    ) -> None:
        error_of(shared.client.post("/engines/unload", json=body), 400)
        assert shared.workers.unloaded == []

    def test_metrics_are_beside_the_gateways_own(self, gateway: Gateway, tmp_path: Path) -> None:
        gateway.worker(answering(b"{}"))
        gateway.chat()
        text = b"# TYPE smolctl_x counter\nsmolctl_x 1\n"
        with FakeWorker(tmp_path / "m.sock", answering(text, content_type="text/plain")) as fake:
            gone = _Running("ai/gone", tmp_path / "none.sock")
            gateway.workers.list = [_Running(MODEL, fake.path), gone]  # type: ignore[list-item]
            shown = gateway.client.get("/metrics").text

        assert f'smolctl_x{{model="{MODEL}"}} 1' in shown
        name = "smolctl_gateway_requests_total"
        assert f'{name}{{operation="chat/completions",status="200"}} 1' in shown


class _Running:
    def __init__(self, name: str, socket: Path) -> None:
        self.name = name
        self.socket = socket


def test_it_says_what_it_is(shared: Gateway) -> None:
    assert shared.client.get("/").text == "smolctl is running\n"
    assert shared.client.get("/health").json() == {"status": "ok"}
    assert shared.client.get("/engines/status").json() == {"llama.cpp": "running"}
    assert shared.client.get("/engines/ps").json() == []
