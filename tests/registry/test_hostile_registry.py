"""Registries that lie, break off or lay traps: what a pull says, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.errors import (
    AccessDenied,
    IntegrityError,
    ModelNotFound,
    NotRunnable,
    RegistryUnavailable,
    SmolctlError,
)
from smolctl.registry.credentials import Credentials
from tests.support.faulty_registry import (
    INDEX,
    MANIFEST,
    Answer,
    Endless,
    FaultyRegistry,
    Packed,
    Request,
    descriptor,
    digest,
    error,
    image_index,
    instead,
    no_authorization_allowed,
    pack,
    redirect,
    short_of_its_length,
    short_without_length,
    too_long,
    unauthorized,
    wrong_bytes,
)
from tests.support.pulling import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from smolctl.store.store import Store

REPOSITORY = "team/model"


def snapshot(store: Store) -> bytes:
    return (store.root / "index.json").read_bytes()


def assert_blobs_are_what_they_are_called(store: Store) -> None:
    for path in (store.root / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def files_outside(root: Path, store: Store) -> list[Path]:
    return [p for p in root.rglob("*") if p.is_file() and store.root not in p.parents]


@dataclass(frozen=True)
class Lie:
    """One thing a registry does wrong, and the error it must end in."""

    error: type[SmolctlError]
    where: str = ""
    change: Callable[[Request, Answer], Answer] | None = None
    manifest: Callable[[dict[str, Any]], object] | None = None
    says: str = ""


def _size(layer: int, by: int) -> Callable[[dict[str, Any]], object]:
    return lambda m: m["layers"][layer].update(size=m["layers"][layer]["size"] + by)


def _first_layer(**parts: object) -> Callable[[dict[str, Any]], object]:
    return lambda m: m["layers"][0].update(parts)


def _many_layers(manifest: dict[str, Any]) -> None:
    manifest["layers"] = [{"mediaType": "a", "size": 0, "digest": "b"}] * 10_001


def _redigested(change: Callable[[bytes], bytes]) -> Callable[[Request, Answer], Answer]:
    """Change a manifest and announce no digest, so that only its content can tell."""

    def changed(_: Request, answer: Answer) -> Answer:
        content = change(answer.content)
        headers = {k: v for k, v in answer.headers.items() if k != "Docker-Content-Digest"}
        return replace(answer, headers=headers, body=content, length=len(content))

    return changed


HTML = b"<html><body>Please log in to the guest network.</body></html>"
BLOBS, MANIFESTS = "/blobs/", "/manifests/"

LIES = {
    "wrong bytes in a blob": Lie(IntegrityError, BLOBS, wrong_bytes, says="wrong bytes"),
    "a blob that ends before its Content-Length": Lie(
        RegistryUnavailable, BLOBS, short_of_its_length
    ),
    "a blob that ends early, of no announced length": Lie(
        RegistryUnavailable, BLOBS, short_without_length, says="the answer ended"
    ),
    "a blob that goes on": Lie(IntegrityError, BLOBS, too_long, says="longer than"),
    "a login page for a blob": Lie(
        IntegrityError, BLOBS, instead(Answer.of(HTML, Content_Type="text/html"))
    ),
    "no body for a blob": Lie(IntegrityError, BLOBS, instead(Answer.of(b""))),
    "part of a blob that was asked for whole": Lie(
        RegistryUnavailable, BLOBS, lambda _, answer: replace(answer, status=206)
    ),
    "a manifest that is not of the announced digest": Lie(
        IntegrityError,
        MANIFESTS,
        lambda _, a: replace(a, headers={**a.headers, "Docker-Content-Digest": digest(b"other")}),
        says="served a manifest that is",
    ),
    "an announced digest that is no digest": Lie(
        IntegrityError,
        MANIFESTS,
        lambda _, a: replace(a, headers={**a.headers, "Docker-Content-Digest": "sha256:../x"}),
    ),
    "a login page for a manifest": Lie(
        IntegrityError, MANIFESTS, instead(Answer.of(HTML, Content_Type="text/html"))
    ),
    "half a manifest": Lie(
        IntegrityError, MANIFESTS, _redigested(lambda content: content[: len(content) // 2])
    ),
    "a manifest that is a list": Lie(IntegrityError, MANIFESTS, instead(Answer.of(b"[]"))),
    "a manifest nested without end": Lie(
        IntegrityError, MANIFESTS, instead(Answer.of(b"[" * 1_000_000))
    ),
    "a manifest that is not UTF-8": Lie(
        IntegrityError, MANIFESTS, instead(Answer.of(b'{"mediaType": "\xff"}'))
    ),
    "an image of a container": Lie(
        NotRunnable,
        manifest=lambda m: m["config"].update(mediaType="application/vnd.oci.image.config.v1+json"),
        says="not a model artifact",
    ),
    "a manifest without layers": Lie(IntegrityError, manifest=lambda m: m.pop("layers")),
    "a manifest with ten thousand layers": Lie(IntegrityError, manifest=_many_layers),
    "a digest that is a path": Lie(
        IntegrityError, manifest=_first_layer(digest="sha256:../../../outside"), says="not a digest"
    ),
    "a digest that goes on as a path": Lie(
        IntegrityError, manifest=_first_layer(digest=f"sha256:{'a' * 64}/../../../outside")
    ),
    "a digest in upper case": Lie(
        IntegrityError, manifest=_first_layer(digest=f"sha256:{'A' * 64}")
    ),
    "a digest nobody can compute": Lie(
        IntegrityError, manifest=_first_layer(digest=f"crc32:{'a' * 64}")
    ),
    "a size one too small": Lie(IntegrityError, manifest=_size(0, -1), says="longer than"),
    "a size one too large": Lie(IntegrityError, manifest=_size(0, +1), says="shorter than"),
    "a negative size": Lie(IntegrityError, manifest=_first_layer(size=-1)),
    "a size that is text": Lie(IntegrityError, manifest=_first_layer(size="1")),
    "a layer's file outside of the model's folder": Lie(
        IntegrityError,
        manifest=_first_layer(annotations={"org.cncf.model.filepath": "../../outside"}),
        says="leads out of",
    ),
    "401 without a challenge": Lie(AccessDenied, MANIFESTS, instead(error(401, "UNAUTHORIZED"))),
    "401 with a challenge nobody knows": Lie(
        AccessDenied, MANIFESTS, instead(unauthorized('Negotiate realm="x"'))
    ),
    "401 that stays, whatever is sent": Lie(
        AccessDenied, MANIFESTS, instead(unauthorized('Basic realm="x"')), says="wants credentials"
    ),
    "a token from an address with a broken host": Lie(
        AccessDenied, MANIFESTS, instead(unauthorized('Bearer realm="http://[x"')), says="not safe"
    ),
    "a token from a file": Lie(
        AccessDenied, MANIFESTS, instead(unauthorized('Bearer realm="file:///etc/passwd"'))
    ),
    "403": Lie(AccessDenied, MANIFESTS, instead(error(403, "DENIED"))),
    "404 for the manifest": Lie(ModelNotFound, MANIFESTS, instead(error(404, "NAME_UNKNOWN"))),
    "404 for a blob": Lie(ModelNotFound, BLOBS, instead(error(404, "BLOB_UNKNOWN"))),
    "429": Lie(
        RegistryUnavailable, MANIFESTS, instead(error(429, "TOOMANYREQUESTS")), says="too many"
    ),
    "500": Lie(RegistryUnavailable, MANIFESTS, instead(error(500, "UNKNOWN")), says="500"),
    "503 for a blob": Lie(RegistryUnavailable, BLOBS, instead(error(503, "UNAVAILABLE"))),
    "an error nested without end": Lie(
        RegistryUnavailable, MANIFESTS, instead(Answer.of(b"[" * 8192, 500)), says="500"
    ),
    "a redirect to itself": Lie(
        RegistryUnavailable, BLOBS, redirect(lambda request: request.path), says="redirects more"
    ),
    "a redirect to no address": Lie(
        RegistryUnavailable, BLOBS, redirect(lambda _: "http://[broken"), says="no address"
    ),
    "a redirect to no port": Lie(
        RegistryUnavailable, BLOBS, redirect(lambda _: "http://127.0.0.1:99999/x")
    ),
    "a redirect to a file": Lie(
        RegistryUnavailable, BLOBS, redirect(lambda _: "file:///etc/hosts")
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_named_and_leaves_a_sound_cache_that_a_good_pull_completes(
    lie: Lie, store: Store, registry: FaultyRegistry, tmp_path: Path
) -> None:
    registry.publish("other/model", "v1", pack(b"GGUF of another model"))
    fetch(store, registry, "other/model:v1")
    before = snapshot(store)
    good = pack()
    registry.publish(REPOSITORY, "v1", good.altered(lie.manifest) if lie.manifest else good)
    if lie.change:
        registry.spoil(lie.where, lie.change)

    with pytest.raises(lie.error) as caught:
        fetch(store, registry)

    assert type(caught.value) is lie.error
    assert lie.says in caught.value.message
    assert "\n" not in caught.value.message
    assert snapshot(store) == before
    assert_blobs_are_what_they_are_called(store)
    assert files_outside(tmp_path, store) == []

    registry.heal()
    registry.publish(REPOSITORY, "v1", good)
    assert str(fetch(store, registry).model.id) == good.id
    assert_blobs_are_what_they_are_called(store)
    assert list((store.root / "partial").iterdir()) == []


def test_a_manifest_other_than_the_pinned_one_is_refused(
    store: Store, registry: FaultyRegistry
) -> None:
    good = registry.publish(REPOSITORY, "v1", pack())
    other = pack(b"GGUF other")
    registry.spoil(
        MANIFESTS,
        instead(Answer.of(other.manifest, Content_Type=MANIFEST, Docker_Content_Digest=other.id)),
    )

    with pytest.raises(IntegrityError, match=good.id):
        fetch(store, registry, f"{REPOSITORY}@{good.id}")

    assert not (store.root / "index.json").exists()


def test_a_pin_beside_a_tag_decides(store: Store, registry: FaultyRegistry) -> None:
    old = registry.publish(REPOSITORY, "v1", pack(b"GGUF old"))
    registry.publish(REPOSITORY, "v1", pack(b"GGUF new"))

    pulled = fetch(store, registry, f"{REPOSITORY}:v1@{old.id}")

    assert str(pulled.model.id) == old.id
    assert pulled.model.tags == ()


def test_an_oversized_manifest_is_cut_off_early(store: Store, registry: FaultyRegistry) -> None:
    registry.publish(REPOSITORY, "v1", pack())
    endless = Endless(64 * 1024 * 1024)
    registry.spoil(MANIFESTS, endless)

    with pytest.raises(IntegrityError, match="more than"):
        fetch(store, registry)

    assert endless.sent < 24 * 1024 * 1024  # 4 MiB, and what the sockets' buffers took


def test_a_blob_that_goes_on_is_cut_off_early(store: Store, registry: FaultyRegistry) -> None:
    registry.publish(REPOSITORY, "v1", pack())
    endless = Endless(64 * 1024 * 1024)
    registry.spoil(BLOBS, endless)

    with pytest.raises(IntegrityError, match="longer than"):
        fetch(store, registry)

    assert endless.sent < 24 * 1024 * 1024


def test_a_broken_config_is_refused_before_the_weights_are_fetched(
    store: Store, registry: FaultyRegistry
) -> None:
    good = pack()
    broken = b'{"config": []}'
    spoilt = good.altered(lambda m: m["config"].update(size=len(broken), digest=digest(broken)))
    registry.publish(
        REPOSITORY, "v1", replace(spoilt, blobs={**good.blobs, digest(broken): broken})
    )

    with pytest.raises(IntegrityError, match="config"):
        fetch(store, registry)

    assert not any(good.layers[0] in path for path in registry.paths())


class TestImageIndex:
    def test_with_one_model_beside_its_attestation_is_that_model(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        model = registry.publish(REPOSITORY, "only", pack())
        attestation = descriptor(
            b"{}", MANIFEST, platform={"os": "unknown", "architecture": "unknown"}
        )
        registry.publish(
            REPOSITORY, "v1", image_index(descriptor(model.manifest, MANIFEST), attestation)
        )

        pulled = fetch(store, registry)

        assert str(pulled.model.id) == model.id
        assert [tag.tag for tag in pulled.model.tags] == ["v1"]

    def test_pinned_gives_its_only_model(self, store: Store, registry: FaultyRegistry) -> None:
        model = registry.publish(REPOSITORY, "only", pack())
        index = registry.publish(
            REPOSITORY, "v1", image_index(descriptor(model.manifest, MANIFEST))
        )

        assert str(fetch(store, registry, f"{REPOSITORY}@{index.id}").model.id) == model.id

    def test_with_several_models_names_them(self, store: Store, registry: FaultyRegistry) -> None:
        small, large = (registry.publish(REPOSITORY, tag, pack(tag.encode())) for tag in "ab")
        entries = [
            descriptor(each.manifest, MANIFEST, platform={"os": "linux", "architecture": arch})
            for each, arch in ((small, "amd64"), (large, "arm64"))
        ]
        registry.publish(REPOSITORY, "v1", image_index(*entries))

        with pytest.raises(ModelNotFound) as caught:
            fetch(store, registry)

        for part in (small.id, large.id, "amd64", "arm64"):
            assert part in caught.value.message
        assert "@sha256:" in (caught.value.hint or "")
        assert not store.root.exists()

    def test_with_no_model_says_so(self, store: Store, registry: FaultyRegistry) -> None:
        registry.publish(REPOSITORY, "v1", image_index())

        with pytest.raises(ModelNotFound, match="none"):
            fetch(store, registry)

    def test_whose_model_is_another_index_is_refused(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        inner = registry.publish(REPOSITORY, "inner", image_index())
        disguised = descriptor(inner.manifest, MANIFEST)
        registry.publish(REPOSITORY, "v1", image_index(disguised))
        registry.publish(REPOSITORY, "v2", image_index(descriptor(inner.manifest, INDEX)))

        with pytest.raises(IntegrityError):
            fetch(store, registry)
        with pytest.raises(ModelNotFound):
            fetch(store, registry, f"{REPOSITORY}:v2")

    def test_whose_entry_has_other_bytes_is_refused(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        model = registry.publish(REPOSITORY, "only", pack())
        registry.publish(REPOSITORY, "v1", image_index(descriptor(model.manifest, MANIFEST)))
        lie = Answer.of(pack(b"other").manifest, Content_Type=MANIFEST)
        registry.spoil(f"{MANIFESTS}sha256:", instead(lie))

        with pytest.raises(IntegrityError, match=model.id):
            fetch(store, registry)


class TestRedirects:
    def test_to_another_host_carry_no_credentials(
        self, store: Store, registry: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        model = pack()
        for server in (registry, elsewhere):
            server.publish(REPOSITORY, "v1", model)
        registry.want_token()
        registry.spoil(
            BLOBS, redirect(lambda request: f"http://{elsewhere.host}{request.path}?Signature=s3")
        )
        elsewhere.spoil("", no_authorization_allowed)

        pulled = fetch(store, registry)

        assert str(pulled.model.id) == model.id
        blobs = [request for request in registry.requests if BLOBS in request.path]
        assert all(request.authorization for request in blobs)
        assert elsewhere.requests
        assert all(request.authorization is None for request in elsewhere.requests)

    def test_do_not_let_another_host_ask_for_the_credentials(
        self, store: Store, registry: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        registry.publish(REPOSITORY, "v1", pack())
        registry.want_basic("me", "s3cret")
        registry.spoil(BLOBS, redirect(lambda request: f"http://{elsewhere.host}{request.path}"))
        realm = f"http://{elsewhere.host}/token"
        elsewhere.spoil("", instead(unauthorized(f'Bearer realm="{realm}",scope="x"')))

        with pytest.raises(RegistryUnavailable, match="sends us, answered 401"):
            fetch(store, registry, find_credentials=lambda: Credentials("me", "s3cret"))

        assert elsewhere.requests
        assert all(request.authorization is None for request in elsewhere.requests)

    def test_on_the_same_host_keep_the_credentials(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        model = registry.publish(REPOSITORY, "v1", pack())
        registry.want_token()
        registry.spoil(
            "/manifests/v1", redirect(lambda _: f"/v2/{REPOSITORY}/manifests/{model.id}")
        )

        assert str(fetch(store, registry).model.id) == model.id


def test_bytes_served_to_several_pulls_are_fetched_once(
    store: Store, registry: FaultyRegistry
) -> None:
    first = registry.publish(REPOSITORY, "v1", pack())
    registry.publish(REPOSITORY, "v2", first.altered(lambda m: m.update(annotations={"a": "b"})))
    fetch(store, registry)
    seen = len(registry.requests)

    pulled = fetch(store, registry, f"{REPOSITORY}:v2")

    assert pulled.fetched == 0
    assert not any(BLOBS in request.path for request in registry.requests[seen:])


def test_a_published_model_is_a_good_one(store: Store, registry: FaultyRegistry) -> None:
    """The lies above are told about an artifact that is otherwise right."""
    model: Packed = registry.publish(REPOSITORY, "v1", pack())

    pulled = fetch(store, registry)

    assert str(pulled.model.id) == model.id
    assert json.loads(snapshot(store))["manifests"][0]["digest"] == model.id
    assert pulled.fetched == sum(len(model.blobs[layer]) for layer in model.layers)
