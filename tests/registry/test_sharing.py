"""The read-only registry over a cache, spoken to in plain HTTP."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import ModelNotFound, UsageError
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import pull
from smolctl.registry.sharing.answer import ReadOnlyRegistry, Request
from smolctl.registry.sharing.server import serving
from smolctl.registry.sharing.shared_models import Selection, SharedModels
from smolctl.registry.source import Source
from smolctl.store.blobs import Blobs
from smolctl.store.store import Store
from tests.support.faulty_registry import FaultyRegistry, Packed, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.model.descriptor import Descriptor


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
        pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"),
        serving(store, port=port),
    ):
        pass


def test_the_port_is_free_again_after_the_block(store: Store) -> None:
    with serving(store) as address:
        pass

    with pytest.raises(ConnectionRefusedError):
        ask(address, "/v2/")


class TestPages:
    def test_are_as_long_as_asked_and_lead_to_the_next(self, host: str) -> None:
        first = ask(host, "/v2/_catalog?n=1")
        assert json.loads(first.body) == {"repositories": ["team/model"]}
        assert first.headers["link"] == '</v2/_catalog?n=1&last=team%2Fmodel>; rel="next"'

        following = first.headers["link"].partition(">")[0][1:]
        last = ask(host, following)
        assert json.loads(last.body) == {"repositories": ["team/other"]}
        assert "link" not in last.headers

    def test_begin_after_a_name_that_need_not_be_there(self, host: str) -> None:
        reply = ask(host, "/v2/team/model/tags/list?last=v1.5")
        assert json.loads(reply.body)["tags"] == ["v2"]

    def test_of_no_names_have_none(self, host: str) -> None:
        reply = ask(host, "/v2/team/model/tags/list?n=0")
        assert json.loads(reply.body)["tags"] == []
        assert "link" not in reply.headers

    @pytest.mark.parametrize("count", ["-1", "many", "", "1" * 10])
    def test_of_nonsense_are_refused(self, host: str, count: str) -> None:
        reply = ask(host, f"/v2/_catalog?n={count}")
        assert (reply.status, reply.code) == (400, "PAGINATION_NUMBER_INVALID")

    def test_are_followed_by_our_client(self, host: str) -> None:
        with RegistryClient(host) as client:
            assert client.tags("team/model", limit=1) == ["v1"]
            assert client.tags("team/model") == ["v1", "v2"]


class TestWhatIsKnownAlready:
    def test_is_not_sent_again(self, host: str) -> None:
        for path in (blob(SMALL), "/v2/team/model/manifests/v1"):
            etag = ask(host, path, "HEAD").headers["etag"]
            reply = ask(host, path, **{"If-None-Match": f'"other", {etag}'})
            assert (reply.status, reply.body) == (304, b"")
            assert ask(host, path, **{"If-None-Match": '"other"'}).status == 200

    def test_is_gone_on_with_if_it_is_the_same(self, host: str) -> None:
        etag = ask(host, blob(SMALL), "HEAD").headers["etag"]
        for if_range, status in ((etag, 206), ('"other"', 200)):
            headers = {"Range": "bytes=1-2", "If-Range": if_range}
            assert ask(host, blob(SMALL), **headers).status == status


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=5-1", "lines=1-2", "bytes=a-b", "x"])
def test_a_range_that_is_not_understood_means_the_whole(host: str, wanted: str) -> None:
    reply = ask(host, blob(SMALL), Range=wanted)

    assert reply.status == 200
    assert reply.body == SMALL.blobs[SMALL.layers[0]]


def test_nothing_refers_to_a_model(host: str) -> None:
    reply = ask(host, f"/v2/team/model/referrers/{SMALL.id}")
    assert json.loads(reply.body)["manifests"] == []
    assert reply.headers["content-type"] == "application/vnd.oci.image.index.v1+json"
    assert ask(host, f"/v2/no/thing/referrers/{SMALL.id}").code == "NAME_UNKNOWN"


def test_whatever_a_client_accepts_it_gets_the_manifest(host: str) -> None:
    reply = ask(host, "/v2/team/model/manifests/v1", Accept="text/html", Host="evil.example")
    assert reply.body == SMALL.manifest


def test_a_connection_serves_many_requests(host: str) -> None:
    connection = http.client.HTTPConnection(host, timeout=30)
    with closing(connection):
        for path in ("/v2/", "/v2/nothing", blob(SMALL), "/v2/team/model/manifests/v1"):
            connection.request("GET", path)
            assert connection.getresponse().read()
            assert connection.sock is not None  # it was not closed


class TestNames:
    """The same path in several registries."""

    HUB, OURS, ANY = pack(b"GGUF hub"), pack(b"GGUF ours"), pack(b"GGUF any")

    @pytest.fixture
    def host(self, store: Store) -> Iterator[str]:
        store.default_registry = "ours.example"
        fill(store, {"x/a:v1": self.HUB, "x/b:v1": self.OURS, "x/c:v1": self.ANY})
        for model, name in (
            (self.HUB, "docker.io/team/model:v1"),
            (self.ANY, "any.example/team/model:v1"),
            (self.ANY, "any.example/team/model:v2"),
            (self.OURS, "ours.example/team/model:v1"),
        ):
            store.tag(store.get(model.id), Reference.parse(name))
        with serving(store) as running:
            yield running

    @pytest.mark.parametrize(
        ("path", "model"),
        [
            ("team/model/manifests/v1", OURS),
            ("team/model/manifests/v2", ANY),
            ("ours.example/team/model/manifests/v1", OURS),
            ("docker.io/team/model/manifests/v1", HUB),
            ("any.example/team/model/manifests/v1", ANY),
            ("team/model/manifests/v1?ns=docker.io", HUB),
            ("team/model/manifests/v1?ns=registry-1.docker.io", HUB),
            ("team/model/manifests/v1?ns=any.example", ANY),
            (f"team/model/manifests/{ANY.id}", ANY),
        ],
    )
    def test_lead_to_one_model(self, host: str, path: str, model: Packed) -> None:
        assert ask(host, f"/v2/{path}").body == model.manifest

    @pytest.mark.parametrize(
        "path",
        [
            "docker.io/team/model/manifests/v2",
            "team/model/manifests/v2?ns=docker.io",
            "team/model/manifests/v1?ns=no%20registry",
            "none.example/team/model/manifests/v1",
            f"docker.io/team/model/blobs/{ANY.layers[0]}",
        ],
    )
    def test_of_one_registry_lead_to_no_other(self, host: str, path: str) -> None:
        assert ask(host, f"/v2/{path}").status == 404

    def test_are_listed_by_registry(self, host: str) -> None:
        listed = json.loads(ask(host, "/v2/_catalog?ns=docker.io").body)
        assert listed["repositories"] == ["team/model"]


class TestAChange:
    def test_of_the_cache_shows_at_once(self, store: Store) -> None:
        fill(store, NAMES)
        with serving(store) as host:
            assert ask(host, blob(OTHER, "team/other")).status == 200
            name = next(name for model in store.models() for name in model.tags)
            store.remove(f"{name.registry}/team/other:v1")
            assert ask(host, blob(OTHER, "team/other")).status == 404
            assert "team/other" not in ask(host, "/v2/_catalog").body.decode()

    @pytest.mark.parametrize("content", [b"", b"GGUF othe", b"GGUF other and more"])
    def test_of_a_blobs_length_hides_it(self, store: Store, content: bytes) -> None:
        fill(store, {"team/other:v1": OTHER})
        with serving(store) as host:
            (store.root / "blobs" / "sha256" / OTHER.layers[0][7:]).write_bytes(content)
            reply = ask(host, blob(OTHER, "team/other"))
        assert (reply.status, reply.code) == (404, "BLOB_UNKNOWN")

    def test_for_the_worse_of_the_index_is_an_error_without_paths(self, store: Store) -> None:
        fill(store, {"team/other:v1": OTHER})
        with serving(store) as host:
            store.index_path.write_bytes(b"{")
            reply = ask(host, "/v2/team/other/tags/list")
        assert (reply.status, reply.code) == (500, "UNKNOWN")
        assert str(store.root).encode() not in reply.body

    def test_is_noticed_without_reading_manifests_again(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(store, NAMES)
        models = SharedModels(store)
        read: list[str] = []
        whole = Blobs.read

        def counting(self: Blobs, descriptor: Descriptor, what: str) -> bytes:
            read.append(what)
            return whole(self, descriptor, what)

        monkeypatch.setattr(Blobs, "read", counting)
        for _ in range(3):
            for model in models.models:
                assert len(models.blobs(model)) == 3
        assert len(read) == 2


class TestASelection:
    def test_shares_what_it_names_and_nothing_else(self, store: Store) -> None:
        fill(store, NAMES)
        registry = store.models()[0].names[0].registry
        models = SharedModels(store, Selection.of(store, [f"{registry}/team/model:v1"]))
        answer = ReadOnlyRegistry(models).answer

        def status(path: str) -> int:
            return answer(Request("HEAD", f"/v2/{path}", {})).status

        assert models.repositories == ["team/model"]
        assert status("team/model/manifests/v1") == 200
        assert status(f"team/model/blobs/{SMALL.layers[0]}") == 200
        assert status("team/model/manifests/v2") == 404
        assert status(f"team/model/blobs/{OTHER.layers[0]}") == 404
        assert status(f"team/other/blobs/{OTHER.layers[0]}") == 404

    def test_by_id_shares_all_names(self, store: Store) -> None:
        fill(store, NAMES)
        models = SharedModels(store, Selection.of(store, [SMALL.id[7:19]]))
        shared = models.in_repository("team/model")
        assert {each.name.tag for each in shared} == {"v1", "v2"}
        assert models.in_repository("team/other") == ()

    def test_of_what_is_not_here_is_an_error(self, store: Store) -> None:
        with pytest.raises(ModelNotFound):
            Selection.of(store, ["ai/nothing"])
