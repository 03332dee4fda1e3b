"""Pushes: what is sent, what is not, and what a registry that fails does to them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import AccessDenied, IntegrityError, RegistryUnavailable
from smolctl.model.descriptor import Descriptor
from smolctl.model.reference import Reference
from smolctl.registry.push import mountable, push
from smolctl.registry.transfer_options import TransferOptions
from smolctl.registry.upload_client import UploadClient
from tests.support.faulty_registry import (
    GGUF,
    Answer,
    FaultyRegistry,
    Packed,
    Request,
    error,
    instead,
)
from tests.support.pulling import HASTY, Notes, fetch, weights

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.registry.credentials import Credentials
    from smolctl.registry.push import Push
    from smolctl.store.store import Store

SIZE = 300 * 1024
CHUNK = 64 * 1024
WEIGHTS = weights(SIZE)
MODEL = Packed.of_layers(WEIGHTS, b"You may.\n")
UPLOADS = "/blobs/uploads/"


@pytest.fixture
def filled(store: Store) -> Store:
    """A cache with `MODEL` in it."""
    keep(store, MODEL, "docker.io/ai/small:v1")
    return store


def keep(store: Store, packed: Packed, name: str) -> None:
    store.prepare()
    for blob in packed.blobs.values():
        store.blobs.write_bytes(Descriptor.of(blob, GGUF), blob)
    assert store.commit(packed.manifest, Reference.parse(name)) is not None


def send(
    store: Store,
    registry: FaultyRegistry,
    name: str = "team/model:v1",
    progress: Notes | None = None,
    **client: Any,
) -> Push:
    """Push `MODEL` to `registry` under `name`; `client` are arguments of the client."""
    model = store.get(MODEL.id)
    reference = Reference.parse(f"{registry.host}/{name}")
    mounts = mountable(store, model, reference)
    options = TransferOptions(connections=2, chunk_size=CHUNK)
    client = {"retries": HASTY, "connections": 2, "mounts": mounts, **client}
    with UploadClient(registry.host, reference.repository, **client) as opened:
        return push(store, model, opened, reference, progress, options)


def assert_pushed(registry: FaultyRegistry, tmp_path: Path) -> None:
    """What was pushed is what a pull brings elsewhere."""
    from smolctl.store.store import Store

    registry.heal()
    pulled = fetch(Store(tmp_path / "elsewhere"), registry)
    assert str(pulled.model.id) == MODEL.id


def chunks(registry: FaultyRegistry) -> list[str]:
    """The ranges of the chunks that came."""
    found = [request for request in registry.requests if request.method == "PATCH"]
    return [request.headers["content-range"] for request in found]


class TestAPush:
    def test_sends_large_blobs_in_chunks_and_the_manifest_last(
        self, filled: Store, registry: FaultyRegistry, tmp_path: Path
    ) -> None:
        notes = Notes()

        pushed = send(filled, registry, progress=notes)

        assert str(pushed.digest) == MODEL.id
        assert pushed.changed
        assert pushed.sent == sum(map(len, MODEL.blobs.values()))
        assert chunks(registry) == [
            f"{start}-{min(start + CHUNK, SIZE) - 1}" for start in range(0, SIZE, CHUNK)
        ]
        assert registry.requests[-1].path == "/v2/team/model/manifests/v1"
        assert registry.requests[-1].body == MODEL.manifest
        assert sorted(notes.ended) == sorted(MODEL.blobs)
        assert_pushed(registry, tmp_path)

    def test_of_what_is_there_is_one_request(self, filled: Store, registry: FaultyRegistry) -> None:
        send(filled, registry)
        before = len(registry.requests)

        again = send(filled, registry)

        assert (again.changed, again.sent) == (False, 0)
        assert len(registry.requests) == before + 1

    def test_under_another_tag_sends_the_manifest_alone(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        send(filled, registry)

        again = send(filled, registry, "team/model:v2")

        assert (again.changed, again.sent) == (True, 0)

    def test_mounts_what_another_repository_has(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        send(filled, registry, "team/first:v1")
        filled.tag(filled.get(MODEL.id), Reference.parse(f"{registry.host}/team/first:v1"))

        again = send(filled, registry)

        assert again.sent == 0
        assert again.mounted == sum(map(len, MODEL.blobs.values()))
        assert registry.pushed["team/model"].keys() == MODEL.blobs.keys()

    def test_sends_what_cannot_be_mounted(
        self, filled: Store, registry: FaultyRegistry, tmp_path: Path
    ) -> None:
        filled.tag(filled.get(MODEL.id), Reference.parse(f"{registry.host}/team/first:v1"))
        refused = instead(error(404, "NAME_UNKNOWN"))
        registry.spoil(UPLOADS, refused, when=lambda request: "mount" in request.query, times=1)

        again = send(filled, registry)

        assert again.mounted == 0
        assert_pushed(registry, tmp_path)

    def test_follows_a_location_elsewhere_without_credentials(
        self, filled: Store, registry: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        registry.want_basic("me", "secret")

        def move(_: Request, answer: Answer) -> Answer:
            location = f"http://{elsewhere.host}{answer.headers['Location']}"
            session = request_session(answer)
            elsewhere.uploads[session] = registry.uploads[session]
            return replace(answer, headers={**answer.headers, "Location": location})

        registry.spoil(UPLOADS, move, when=lambda request: request.method == "POST")
        with pytest.raises(RegistryUnavailable):  # its blobs are elsewhere: the manifest fails
            send(filled, registry, find_credentials=lambda: account("me", "secret"))

        assert {request.method for request in elsewhere.requests} == {"PATCH", "PUT"}
        assert all(request.authorization is None for request in elsewhere.requests)
        assert elsewhere.pushed["team/model"].keys() == MODEL.blobs.keys()

    def test_asks_for_one_token_for_all_that_it_does(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        filled.tag(filled.get(MODEL.id), Reference.parse(f"{registry.host}/team/first:v1"))
        access = registry.want_token({"me": "secret"})

        send(filled, registry, find_credentials=lambda: account("me", "secret"))

        assert len(access.granted) == 1
        asked = next(request for request in registry.requests if request.path == "/token")
        assert asked.query["scope"] == [
            "repository:team/model:pull,push",
            "repository:team/first:pull",
        ]

    def test_renews_a_token_that_expires_between_chunks(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        access = registry.want_token({"me": "secret"})

        def expire(_: Request, answer: Answer) -> Answer:
            access.expire()
            return answer

        registry.spoil(UPLOADS, expire, when=is_chunk(2), times=1)

        pushed = send(filled, registry, find_credentials=lambda: account("me", "secret"))

        assert str(pushed.digest) == MODEL.id
        assert len(access.granted) == 2


def request_session(answer: Answer) -> str:
    return answer.headers["Location"].rpartition("/")[2].partition("?")[0]


def account(name: str, password: str) -> Credentials:
    from smolctl.registry.credentials import Credentials

    return Credentials(name, password)


def is_chunk(number: int) -> Any:
    """Whether a request has the chunk of that number, from 0 on."""
    start = f"{number * CHUNK}-"
    return lambda request: request.headers.get("content-range", "").startswith(start)


class TestAFailure:
    def test_in_a_chunk_goes_on_where_the_registry_is(
        self, filled: Store, registry: FaultyRegistry, tmp_path: Path
    ) -> None:
        kept = CHUNK // 2

        def break_off(request: Request, answer: Answer) -> Answer:
            session = request.path.rpartition("/")[2]
            registry.uploads[session] = registry.uploads[session][: 2 * CHUNK + kept]
            return replace(answer, status=503, headers={})

        registry.spoil(UPLOADS, break_off, when=is_chunk(2), times=1)

        pushed = send(filled, registry)

        assert chunks(registry)[3].startswith(f"{2 * CHUNK + kept}-")
        assert pushed.sent == sum(map(len, MODEL.blobs.values())) + CHUNK - kept
        assert_pushed(registry, tmp_path)

    def test_that_loses_the_upload_begins_another(
        self, filled: Store, registry: FaultyRegistry, tmp_path: Path
    ) -> None:
        def forget(request: Request, _: Answer) -> Answer:
            del registry.uploads[request.path.rpartition("/")[2]]
            return error(404, "BLOB_UPLOAD_UNKNOWN")

        registry.spoil(UPLOADS, forget, when=is_chunk(2), times=1)

        send(filled, registry)

        assert chunks(registry)[3].startswith("0-")
        assert_pushed(registry, tmp_path)

    def test_of_the_answer_alone_sends_nothing_twice(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        lost = instead(error(502, "UNKNOWN"))
        registry.spoil(UPLOADS, lost, when=lambda request: request.method == "PUT", times=1)

        pushed = send(filled, registry)

        assert pushed.sent == sum(map(len, MODEL.blobs.values()))

    @pytest.mark.parametrize("status", [404, 405, 416, 501])
    def test_to_take_chunks_has_the_whole_sent(
        self, filled: Store, registry: FaultyRegistry, status: int, tmp_path: Path
    ) -> None:
        refused = instead(error(status, "UNSUPPORTED"))
        registry.spoil(UPLOADS, refused, when=lambda request: request.method == "PATCH")

        send(filled, registry)

        assert len(chunks(registry)) == 1
        assert_pushed(registry, tmp_path)

    def test_that_does_not_end_ends_the_push(self, filled: Store, registry: FaultyRegistry) -> None:
        def drop(request: Request, _: Answer) -> Answer:
            session = request.path.rpartition("/")[2]
            registry.uploads[session] = registry.uploads[session][:CHUNK]
            return error(503, "UNAVAILABLE")

        registry.spoil(UPLOADS, drop, when=is_chunk(1))

        with pytest.raises(RegistryUnavailable, match="tried"):
            send(filled, registry)

        assert not any("/manifests/" in path for path in registry.paths("PUT"))

    def test_of_a_registry_that_loses_every_upload_ends_the_push(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        lost = instead(error(404, "BLOB_UPLOAD_UNKNOWN"))
        registry.spoil(UPLOADS, lost, when=is_chunk(1))

        with pytest.raises(RegistryUnavailable, match="does not know the upload"):
            send(filled, registry)

    def test_that_says_too_large_has_less_sent_at_once(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        large = Packed.of_layers(weights(5 * 1024 * 1024))
        keep(store, large, "docker.io/ai/large:v1")
        most = 2 * 1024 * 1024

        def limit(request: Request, answer: Answer) -> Answer:
            if len(request.body) <= most:
                return answer
            session = request.path.rpartition("/")[2]
            registry.uploads[session] = b""
            return error(413, "SIZE_INVALID")

        registry.spoil(UPLOADS, limit, when=lambda request: request.method in ("PUT", "PATCH"))
        reference = Reference.parse(f"{registry.host}/team/large:v1")
        with UploadClient(registry.host, "team/large", retries=HASTY) as client:
            push(store, store.get(large.id), client, reference)

        assert registry.pushed["team/large"].keys() == large.blobs.keys()

    @pytest.mark.parametrize("status", [413, 412, 507])
    def test_for_want_of_room_is_said(
        self, filled: Store, registry: FaultyRegistry, status: int
    ) -> None:
        full = instead(error(status, "DENIED"))
        registry.spoil(UPLOADS, full, when=lambda request: request.method == "PUT")

        with pytest.raises(RegistryUnavailable, match="has no room for") as caught:
            send(filled, registry)

        assert "DENIED" in caught.value.message
        assert "quota" in (caught.value.hint or "")

    @pytest.mark.parametrize("status", [401, 403])
    def test_to_be_let_in_asks_for_credentials(
        self, filled: Store, registry: FaultyRegistry, status: int
    ) -> None:
        registry.spoil(UPLOADS, instead(error(status, "DENIED")))

        with pytest.raises(AccessDenied) as caught:
            send(filled, registry)

        assert "smolctl login" in (caught.value.hint or "")

    def test_that_was_refused_pull_alone_is_said(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        access = registry.want_token({"me": "secret"})
        access.most = "pull"

        with pytest.raises(AccessDenied):
            send(filled, registry, find_credentials=lambda: account("me", "secret"))

        assert len(access.granted) <= 3


class TestBytes:
    def test_that_are_damaged_here_make_no_model_there(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        name = hashlib.sha256(WEIGHTS).hexdigest()
        path = filled.root / "blobs" / "sha256" / name
        path.write_bytes(WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1]))

        # Small enough for `has` to hash it; a large one is found out on its way.
        with pytest.raises(IntegrityError, match="damaged"):
            send(filled, registry)

        assert f"sha256:{name}" not in registry.pushed.get("team/model", {})
        assert not any("/manifests/" in path for path in registry.paths("PUT"))

    @pytest.mark.parametrize("chunk", [64 * 1024, 64 * 1024 * 1024])
    def test_that_are_damaged_in_a_large_blob_never_arrive_whole(
        self, store: Store, registry: FaultyRegistry, chunk: int
    ) -> None:
        content = weights(1024 * 1024 + 10)
        large = Packed.of_layers(content)
        keep(store, large, "docker.io/ai/large:v1")
        name = hashlib.sha256(content).hexdigest()
        (store.root / "blobs" / "sha256" / name).write_bytes(b"x" + content[1:])
        reference = Reference.parse(f"{registry.host}/team/large:v1")
        options = TransferOptions(connections=2, chunk_size=chunk)

        with (
            UploadClient(registry.host, "team/large", retries=HASTY, connections=2) as client,
            pytest.raises(IntegrityError, match="damaged"),
        ):
            push(store, store.get(large.id), client, reference, None, options)

        assert not any("/manifests/" in path for path in registry.paths("PUT"))
        asked = [request.query for request in registry.requests if request.method == "PUT"]
        assert [f"sha256:{name}"] not in [query.get("digest") for query in asked]

    def test_that_the_registry_announces_as_others_are_no_success(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        def lie(_: Request, answer: Answer) -> Answer:
            false = {**answer.headers, "Docker-Content-Digest": f"sha256:{'0' * 64}"}
            return replace(answer, headers=false)

        registry.spoil("/manifests/", lie, when=lambda request: request.method == "PUT")

        with pytest.raises(IntegrityError, match="where"):
            send(filled, registry)

    def test_that_arrive_as_others_are_sent_again_but_not_for_ever(
        self, filled: Store, registry: FaultyRegistry
    ) -> None:
        def mangle(_: Request, __: Answer) -> Answer:
            registry.pushed.clear()
            return error(400, "DIGEST_INVALID")

        registry.spoil(UPLOADS, mangle, when=lambda request: request.method == "PUT")

        with pytest.raises(IntegrityError, match="DIGEST_INVALID"):
            send(filled, registry)

        begun = [path for path in registry.paths("POST") if path.endswith(UPLOADS)]
        assert 4 <= len(begun) <= 8
