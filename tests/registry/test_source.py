"""Mirrors first, the origin last: who is asked, who is shown credentials, whose answer counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.configuration import Configuration, Mirror, RegistryConfiguration
from smolctl.errors import (
    ModelNotFound,
    NotRunnable,
    StorageError,
)
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.credentials import Credentials
from smolctl.registry.pull import Pull, pull
from smolctl.registry.source import Source, first, open_sources
from tests.support.faulty_registry import (
    Answer,
    FaultyRegistry,
    Packed,
    basic,
    error,
    image_index,
    instead,
    pack,
    redirect,
    short_of_its_length,
    too_long,
    wrong_bytes,
)
from tests.support.pulling import HASTY, SMALL_PARTS, Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.store.store import Store

REPOSITORY = "team/model"


@pytest.fixture
def mirror() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def origin() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


def mirrored(origin: FaultyRegistry, *mirrors: Mirror) -> Configuration:
    return Configuration(registries={origin.host: RegistryConfiguration(mirrors)})


def fetch(
    store: Store,
    origin: FaultyRegistry,
    *mirrors: Mirror,
    notes: Notes | None = None,
    accounts: dict[str, Credentials] | None = None,
) -> Pull:
    reference = Reference.parse(f"{origin.host}/{REPOSITORY}:v1")
    known = accounts or {}
    with open_sources(
        reference,
        mirrored(origin, *mirrors),
        retries=HASTY,
        find_credentials=lambda registry, _: known.get(registry),
    ) as sources:
        return pull(store, sources, reference, notes, SMALL_PARTS)


def everywhere(model: Packed, *registries: FaultyRegistry) -> Packed:
    for registry in registries:
        registry.publish(REPOSITORY, "v1", model)
    return model


class TestPull:
    def test_a_mirror_that_works_is_all_that_is_asked(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        model = everywhere(pack(), mirror, origin)
        notes = Notes()

        pulled = fetch(store, origin, Mirror(mirror.host), notes=notes)

        assert origin.requests == []
        assert notes.notices == []
        assert str(pulled.model.id) == model.id

    def test_the_model_is_named_as_it_was_asked_for(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        everywhere(pack(), mirror)

        fetch(store, origin, Mirror(mirror.host))

        (model,) = store.models()
        assert [tag.canonical for tag in model.tags] == [f"{origin.host}/{REPOSITORY}:v1"]

    def test_a_prefix_goes_before_the_repository(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        mirror.publish(f"hub/cache/{REPOSITORY}", "v1", pack())

        fetch(store, origin, Mirror(mirror.host, "hub/cache"))

        assert origin.requests == []
        assert all(path.startswith(f"/v2/hub/cache/{REPOSITORY}/") for path in mirror.paths())

    def test_an_index_is_resolved_where_it_was_found(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        model = mirror.publish(REPOSITORY, "other", pack())
        entry = {
            "mediaType": model.media_type,
            "digest": model.id,
            "size": len(model.manifest),
        }
        mirror.publish(REPOSITORY, "v1", image_index(entry))

        pulled = fetch(store, origin, Mirror(mirror.host))

        assert str(pulled.model.id) == model.id
        assert origin.requests == []

    def test_a_mirror_that_is_down_is_passed_over(
        self, store: Store, origin: FaultyRegistry, unused_tcp_port: int
    ) -> None:
        model = everywhere(pack(), origin)
        notes = Notes()
        down = f"127.0.0.1:{unused_tcp_port}"

        pulled = fetch(store, origin, Mirror(down), notes=notes)

        assert str(pulled.model.id) == model.id
        assert notes.passed_over == [down]
        assert "cannot reach" in notes.notices[0]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (instead(error(404, "MANIFEST_UNKNOWN")), "not found"),
            (instead(error(401, "UNAUTHORIZED")), "wants credentials"),
            (instead(error(403, "DENIED")), "wants credentials"),
            (instead(error(429, "TOOMANYREQUESTS")), "too many requests"),
            (instead(error(500, "UNKNOWN")), "500"),
            (instead(error(503, "UNAVAILABLE")), "503"),
            (
                instead(Answer.of(b"<html>Log in</html>", Content_Type="text/html")),
                "not valid JSON",
            ),
            (redirect(lambda request: request.path), "redirects more"),
            (wrong_bytes, "served a manifest"),
            (short_of_its_length, "broke off"),
        ],
    )
    def test_a_mirror_without_a_good_manifest_is_passed_over(
        self,
        store: Store,
        mirror: FaultyRegistry,
        origin: FaultyRegistry,
        change: Callable[..., Answer],
        reason: str,
    ) -> None:
        model = everywhere(pack(), mirror, origin)
        mirror.spoil("/manifests/", change)
        notes = Notes()

        pulled = fetch(store, origin, Mirror(mirror.host), notes=notes)

        assert str(pulled.model.id) == model.id
        assert notes.passed_over == [mirror.host]
        assert reason in notes.notices[-1]
        # It had no manifest to go by, so nothing else is asked of it.
        assert not any("/blobs/" in path for path in mirror.paths())

    @pytest.mark.parametrize(
        "change",
        [
            instead(error(404, "BLOB_UNKNOWN")),
            instead(error(500, "UNKNOWN")),
            instead(Answer.of(b"<html>Log in</html>", Content_Type="text/html")),
            wrong_bytes,
            too_long,
            short_of_its_length,
        ],
    )
    @pytest.mark.parametrize("which", ["config", "weights"])
    def test_what_a_mirror_lost_or_damaged_comes_from_the_origin(
        self,
        store: Store,
        mirror: FaultyRegistry,
        origin: FaultyRegistry,
        change: Callable[..., Answer],
        which: str,
    ) -> None:
        model = everywhere(pack(), mirror, origin)
        blob = model.config if which == "config" else model.layers[0]
        mirror.spoil(blob, change)
        notes = Notes()

        pulled = fetch(store, origin, Mirror(mirror.host), notes=notes)

        assert store.missing_blobs(store.artifact(pulled.model).manifest) == []
        assert notes.passed_over == [mirror.host]
        assert origin.paths() == [f"/v2/{REPOSITORY}/blobs/{blob}"]

    def test_mirrors_are_tried_in_their_order(
        self,
        store: Store,
        mirror: FaultyRegistry,
        elsewhere: FaultyRegistry,
        origin: FaultyRegistry,
    ) -> None:
        everywhere(pack(), elsewhere, origin)
        notes = Notes()

        fetch(store, origin, Mirror(mirror.host), Mirror(elsewhere.host), notes=notes)

        assert notes.passed_over == [mirror.host]
        assert len(mirror.requests) == 1
        assert origin.requests == []

    def test_what_the_origin_says_is_final(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        origin.publish(REPOSITORY, "v2", pack())
        origin.spoil("/tags/list", instead(Answer.of(b'{"name": "team/model", "tags": ["v2"]}')))

        with pytest.raises(
            ModelNotFound, match=f"^{origin.host}/{REPOSITORY}:v1 was not found$"
        ) as caught:
            fetch(store, origin, Mirror(mirror.host))

        assert (caught.value.hint or "").startswith("Tags there: v2. ")
        assert mirror.paths() == [f"/v2/{REPOSITORY}/manifests/v1"]

    def test_a_mirror_that_has_something_else_than_a_model_is_not_passed_over(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        everywhere(pack(config_type="application/vnd.oci.image.config.v1+json"), mirror)

        with pytest.raises(NotRunnable):
            fetch(store, origin, Mirror(mirror.host))


class TestCredentials:
    def test_of_the_origin_are_never_shown_to_a_mirror(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        everywhere(pack(), mirror, origin)
        for registry in (mirror, origin):
            registry.want_basic("me", "origins")
        accounts = {origin.host: Credentials("me", "origins")}
        notes = Notes()

        fetch(store, origin, Mirror(mirror.host), notes=notes, accounts=accounts)

        assert "wants credentials" in notes.notices[0]
        assert {request.authorization for request in mirror.requests} == {None}
        assert origin.requests[-1].authorization == basic("me", "origins")

    def test_of_a_mirror_are_its_own(
        self, store: Store, mirror: FaultyRegistry, origin: FaultyRegistry
    ) -> None:
        everywhere(pack(), mirror, origin)
        mirror.want_token({"me": "mirrors"})
        origin.want_basic("me", "origins")
        accounts = {
            origin.host: Credentials("me", "origins"),
            mirror.host: Credentials("me", "mirrors"),
        }

        fetch(store, origin, Mirror(mirror.host), accounts=accounts)

        assert origin.requests == []
        shown = {request.authorization for request in mirror.requests}
        assert basic("me", "mirrors") in shown
        assert basic("me", "origins") not in shown


class TestFirst:
    def sources(self, *registries: str) -> list[Source]:
        return [Source(RegistryClient(registry), REPOSITORY) for registry in registries]

    @pytest.mark.parametrize("problem", [StorageError("the disk is full"), KeyboardInterrupt()])
    def test_what_has_nothing_to_do_with_a_source_passes_nobody_over(
        self, problem: BaseException
    ) -> None:
        def ask(source: Source) -> None:
            asked.append(source.client.registry)
            raise problem

        asked: list[str] = []
        with pytest.raises(type(problem)):
            first(self.sources("m.example", "o.example"), ask)
        assert asked == ["m.example"]

    def test_one_source_is_the_origin(self) -> None:
        def ask(source: Source) -> str:
            raise ModelNotFound(source.client.registry)

        with pytest.raises(ModelNotFound, match=r"o\.example"):
            first(self.sources("o.example"), ask)


class TestOpening:
    def test_each_source_is_reached_as_its_own_table_says(self, tmp_path) -> None:
        certificates = tmp_path / "company.pem"
        tables = {
            "docker.io": RegistryConfiguration(
                (
                    Mirror("a.example"),
                    Mirror("b.example"),
                    Mirror("b.example", "x", plain_http=False),
                    Mirror("localhost:5000"),
                ),
                ca_file=certificates,
            ),
            "b.example": RegistryConfiguration((Mirror("deeper.example"),), plain_http=True),
        }
        reference = Reference.parse("ai/smollm2:latest")
        with open_sources(reference, Configuration(registries=tables)) as sources:
            reached = [
                f"{source.client.prefix}://{source.client.hostname}/{source.repository}"
                for source in sources
            ]
            names = [source.reference(reference).canonical for source in sources]
        assert reached == [
            "https://a.example/ai/smollm2",
            "http://b.example/ai/smollm2",
            "https://b.example/x/ai/smollm2",
            "http://localhost:5000/ai/smollm2",
            "https://registry-1.docker.io/ai/smollm2",
        ]
        assert names[2] == "b.example/x/ai/smollm2:latest"

    def test_every_client_is_closed_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        closed: list[str] = []
        monkeypatch.setattr(RegistryClient, "close", lambda self: closed.append(self.registry))
        reference = Reference.parse("o.example/team/model")
        tables = {"o.example": RegistryConfiguration((Mirror("m.example"),))}

        with (
            pytest.raises(StorageError),
            open_sources(reference, Configuration(registries=tables)),
        ):
            raise StorageError("the disk is full")

        assert sorted(closed) == ["m.example", "o.example"]
