"""The read-only registry over a cache, spoken to in plain HTTP."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import pull
from smolctl.registry.server import serving
from smolctl.registry.source import Source
from smolctl.store.store import Store
from tests.support.faulty_registry import FaultyRegistry, Packed, pack

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        found: str = json.loads(self.body)["errors"][0]["code"]
        return found


def ask(host: str, path: str, method: str = "GET", **headers: str) -> Reply:
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, named, response.read())
    finally:
        connection.close()


SMALL, OTHER = pack(), pack(b"GGUF other")


NAMES = {"team/model:v1": SMALL, "team/model:v2": SMALL, "team/other:v1": OTHER}


def fill(store: Store, names: dict[str, Packed]) -> None:
    with FaultyRegistry() as registry, RegistryClient(registry.host) as client:
        for name, model in names.items():
            repository, _, tag = name.rpartition(":")
            registry.publish(repository, tag, model)
            reference = Reference.parse(f"{registry.host}/{name}")
            pull(store, [Source(client, reference.repository)], reference)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    """A cache with two repositories, which nobody may change, and the registry over it."""
    store = Store(tmp_path_factory.mktemp("shared") / "models")
    fill(store, NAMES)
    with serving(store) as address:
        yield store, address


@pytest.fixture
def host(shared: tuple[Store, str]) -> str:
    return shared[1]


def blob(model: Packed, repository: str = "team/model") -> str:
    return f"/v2/{repository}/blobs/{model.layers[0]}"


def test_the_version_check_is_answered(host: str) -> None:
    reply = ask(host, "/v2/")

    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"


def test_the_repositories_are_listed(host: str) -> None:
    assert json.loads(ask(host, "/v2/_catalog").body) == {
        "repositories": ["team/model", "team/other"]
    }


def test_the_tags_of_one_repository_are_listed(host: str) -> None:
    reply = ask(host, "/v2/team/model/tags/list")

    assert json.loads(reply.body) == {"name": "team/model", "tags": ["v1", "v2"]}


@pytest.mark.parametrize("reference", ["v1", SMALL.id])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_manifest_is_served_by_tag_and_by_digest(host: str, reference: str, method: str) -> None:
    reply = ask(host, f"/v2/team/model/manifests/{reference}", method)

    assert reply.status == 200
    assert reply.body == (SMALL.manifest if method == "GET" else b"")
    assert reply.headers["docker-content-digest"] == SMALL.id
    assert reply.headers["content-type"] == SMALL.media_type
    assert reply.headers["content-length"] == str(len(SMALL.manifest))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_is_served_whole(host: str, method: str) -> None:
    content = SMALL.blobs[SMALL.layers[0]]

    reply = ask(host, blob(SMALL), method)

    assert reply.status == 200
    assert reply.body == (content if method == "GET" else b"")
    assert reply.headers["content-length"] == str(len(content))
    assert reply.headers["docker-content-digest"] == SMALL.layers[0]


def test_the_config_is_served_as_a_blob(host: str) -> None:
    reply = ask(host, f"/v2/team/model/blobs/{SMALL.config}")

    assert reply.body == SMALL.blobs[SMALL.config]


class TestRanges:
    CONTENT = SMALL.blobs[SMALL.layers[0]]

    @pytest.mark.parametrize(
        ("wanted", "start", "end"),
        [("0-0", 0, 1), ("0-99", 0, 100), ("100-", 100, None), ("-10", -10, None)],
    )
    def test_are_served(self, host: str, wanted: str, start: int, end: int | None) -> None:
        reply = ask(host, blob(SMALL), Range=f"bytes={wanted}")

        assert reply.status == 206
        assert reply.body == self.CONTENT[start:end]
        assert reply.headers["content-range"].endswith(f"/{len(self.CONTENT)}")

    def test_past_the_end_are_refused(self, host: str) -> None:
        reply = ask(host, blob(SMALL), Range=f"bytes={len(self.CONTENT)}-")

        assert reply.status == 416
        assert str(len(self.CONTENT)) in reply.headers["content-range"]

    def test_are_announced(self, host: str) -> None:
        assert ask(host, blob(SMALL), "HEAD").headers["accept-ranges"] == "bytes"


ABSENT = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/team/nothing/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/team/model/manifests/v9", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/model/manifests/{ABSENT}", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/model/manifests/{OTHER.id}", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/team/model/blobs/{ABSENT}", 404, "BLOB_UNKNOWN"),
        (blob(OTHER), 404, "BLOB_UNKNOWN"),
        (blob(SMALL, "team/other"), 404, "BLOB_UNKNOWN"),
        (blob(SMALL, "nobody/nothing"), 404, "BLOB_UNKNOWN"),
        (f"/v2/team/model/blobs/{SMALL.id}", 404, "BLOB_UNKNOWN"),
        ("/v2/team/model/blobs/sha256:abc", 400, "DIGEST_INVALID"),
        (f"/v2/team/model/blobs/md5:{'0' * 32}", 400, "DIGEST_INVALID"),
        ("/v2/team/model/blobs/..%2f..%2findex.json", 404, "NAME_UNKNOWN"),
        (f"/v2/team/model/blobs/sha256:{'0' * 61}%2f..", 404, "NAME_UNKNOWN"),
        ("/v2/team/model/blobs/sha256:..", 400, "DIGEST_INVALID"),
        ("/v2/../../../etc/passwd", 404, "NAME_UNKNOWN"),
        ("/v2/team/model/frobnicate", 404, "NAME_UNKNOWN"),
        ("/index.json", 404, "NAME_UNKNOWN"),
        ("/", 404, "NAME_UNKNOWN"),
    ],
)
def test_what_is_not_there_is_an_error_document(
    host: str, path: str, status: int, code: str
) -> None:
    reply = ask(host, path)

    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(shared: tuple[Store, str], method: str) -> None:
    store, host = shared
    before = (store.root / "index.json").read_bytes()

    for path in ("/v2/team/model/manifests/v1", blob(SMALL)):
        reply = ask(host, path, method)
        assert (reply.status, reply.code) == (405, "UNSUPPORTED")

    assert (store.root / "index.json").read_bytes() == before
    assert ask(host, blob(SMALL)).status == 200


def test_a_damaged_model_hides_no_other(store: Store) -> None:
    fill(store, {"team/model:v1": OTHER, "team/model:v2": SMALL})
    manifest = store.root / "blobs" / "sha256" / OTHER.id[7:]
    manifest.write_bytes(b"damaged")

    with serving(store) as host:
        assert ask(host, blob(SMALL)).status == 200


def test_a_model_that_was_added_meanwhile_is_served(store: Store) -> None:
    with serving(store) as host:
        assert ask(host, "/v2/team/model/manifests/v1").status == 404
        fill(store, NAMES)
        assert ask(host, "/v2/team/model/manifests/v1").body == SMALL.manifest


def test_another_smolctl_can_pull_from_it(host: str, tmp_path: Any) -> None:
    into = Store(tmp_path / "second")

    with RegistryClient(host) as client:
        reference = Reference.parse(f"{host}/team/model:v2")
        pulled = pull(into, [Source(client, "team/model")], reference)

    assert str(pulled.model.id) == SMALL.id


def test_an_address_that_is_taken_is_named(host: str, store: Store) -> None:
    port = int(host.rpartition(":")[2])

    with (
        pytest.raises(RegistryUnavailable, match=f"cannot listen on 127.0.0.1:{port}"),
        serving(store, port=port),
    ):
        pass


def test_the_port_is_free_again_after_the_block(store: Store) -> None:
    with serving(store) as address:
        pass

    with pytest.raises(ConnectionRefusedError):
        ask(address, "/v2/")
