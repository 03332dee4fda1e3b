"""Mending a damaged cache: only what is damaged is fetched, and it is replaced when it is whole."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl.model.digest import Digest
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.repair import Outcome, Repair
from smolctl.registry.source import Source
from smolctl.store.verification import verify
from tests.store.test_store import put
from tests.store.test_verification import flip
from tests.support.faulty_registry import (
    FaultyRegistry,
    Packed,
    error,
    instead,
    pack,
    short_of_its_length,
    wrong_bytes,
)
from tests.support.pulling import (
    HASTY,
    SMALL_PARTS,
    Notes,
    assert_sound,
    fetch,
    unfinished,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.registry.transfer_options import TransferOptions
    from smolctl.store.store import Store

CONTENT = weights(2_000_000)
OTHER = weights(1_500_000, 2)
MODEL = Packed.of_layers(CONTENT, OTHER)


@pytest.fixture
def published(store: Store, registry: FaultyRegistry) -> FaultyRegistry:
    """A registry with a model that is in `store`, whose counters begin from here."""
    registry.publish("team/model", "v1", MODEL)
    fetch(store, registry)
    registry.sent.clear()
    registry.requests.clear()
    return registry


def mend(store: Store, mirror: FaultyRegistry | None = None) -> list[Outcome]:
    """Verify `store`, and mend what is damaged."""

    @contextmanager
    def sources(
        reference: Reference, _: Callable[[str], None]
    ) -> Iterator[tuple[tuple[Source, ...], TransferOptions]]:
        hosts = [reference.registry] if mirror is None else [mirror.host, reference.registry]
        clients = [RegistryClient(host, retries=HASTY, connections=4) for host in hosts]
        try:
            yield tuple(Source(client, reference.repository) for client in clients), SMALL_PARTS
        finally:
            for client in clients:
                client.close()

    return list(Repair(store, sources, Notes()).mend(verify(store).damages))


def path_of(store: Store, digest: str):  # type: ignore[no-untyped-def]
    return store.blobs.path(Digest.parse(digest))


def test_one_flipped_bit_costs_one_blob(store: Store, published: FaultyRegistry) -> None:
    flip(path_of(store, MODEL.layers[0]))

    (outcome,) = mend(store)

    assert outcome.is_mended
    assert sum(published.sent.values()) == len(CONTENT)
    assert published.sent_of(MODEL.layers[0]) == len(CONTENT)
    assert not any("manifests" in path for path in published.paths())
    assert verify(store).damages == ()
    assert_sound(store)
    assert unfinished(store) == []


def test_all_that_is_damaged_is_mended_the_manifest_first(
    store: Store, published: FaultyRegistry
) -> None:
    flip(path_of(store, MODEL.layers[1]))
    path_of(store, MODEL.layers[0]).unlink()
    path_of(store, MODEL.config).write_bytes(b"{}")
    path_of(store, MODEL.id).write_bytes(b"{}")

    outcomes = mend(store)

    assert all(outcome.is_mended for outcome in outcomes)
    assert outcomes[0].damage.part == "manifest"
    assert len(outcomes) == 4
    assert published.sent_of(MODEL.layers[0]) == len(CONTENT)
    assert published.sent_of(MODEL.layers[1]) == len(OTHER)
    assert verify(store).damages == ()


def test_what_the_registry_has_no_more_is_named_and_the_rest_is_mended(
    store: Store, published: FaultyRegistry
) -> None:
    for layer in MODEL.layers:
        flip(path_of(store, layer))
    before = path_of(store, MODEL.layers[0]).read_bytes()
    published.spoil(MODEL.layers[0], instead(error(404, "BLOB_UNKNOWN")))

    outcomes = {str(outcome.damage.blob.digest): outcome for outcome in mend(store)}

    assert not outcomes[MODEL.layers[0]].is_mended
    assert outcomes[MODEL.layers[1]].is_mended
    assert path_of(store, MODEL.layers[0]).read_bytes() == before, "the damaged file stays"


@pytest.mark.parametrize("fault", [wrong_bytes, short_of_its_length])
def test_a_replacement_that_is_damaged_itself_replaces_nothing(
    store: Store, published: FaultyRegistry, fault: Callable[..., object]
) -> None:
    path = path_of(store, MODEL.layers[0])
    flip(path)
    before = path.read_bytes()
    published.spoil(MODEL.layers[0], fault)  # type: ignore[arg-type]

    (outcome,) = mend(store)
    assert not outcome.is_mended
    assert path.read_bytes() == before

    published.heal()
    assert [outcome.is_mended for outcome in mend(store)] == [True]
    assert path.read_bytes() == CONTENT


def test_a_registry_that_is_away_is_asked_once(store: Store, published: FaultyRegistry) -> None:
    for layer in MODEL.layers:
        flip(path_of(store, layer))
    published.spoil("", instead(error(401, "UNAUTHORIZED")))

    outcomes = mend(store)

    assert [outcome.is_mended for outcome in outcomes] == [False, False]
    asked = {path for path in published.paths() if "/blobs/" in path}
    assert len(asked) == 1


def test_another_repository_of_the_same_bytes_will_do(
    store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    elsewhere.publish("ours/copy", "v1", MODEL)
    name = Reference.parse(f"{elsewhere.host}/ours/copy:v1")
    store.tag(store.models()[0], name)
    flip(path_of(store, MODEL.layers[0]))
    published.spoil("", instead(error(404, "NAME_UNKNOWN")))

    assert [outcome.is_mended for outcome in mend(store)] == [True]
    assert elsewhere.sent_of(MODEL.layers[0]) == len(CONTENT)


def test_a_mirror_is_asked_first(
    store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    elsewhere.publish("team/model", "v1", MODEL)
    flip(path_of(store, MODEL.layers[0]))
    path_of(store, MODEL.id).write_bytes(b"{}")

    assert all(outcome.is_mended for outcome in mend(store, elsewhere))
    assert sum(published.sent.values()) == 0


def test_a_blob_that_no_model_names_is_deleted(store: Store, published: FaultyRegistry) -> None:
    old = put(store, "mine", weights=CONTENT + b"more")
    blob = store.artifact(old).manifest.layers[0]
    store.remove("mine")
    store.blobs.write_bytes(blob, CONTENT + b"more")
    flip(store.blobs.path(blob.digest))

    with store.writing():
        assert [outcome.is_mended for outcome in mend(store)] == [False]
    assert [outcome.is_mended for outcome in mend(store)] == [True]

    assert not store.blobs.path(blob.digest).exists()
    assert published.requests == []


def test_a_model_whose_tag_has_moved_in_the_registry_is_found_by_its_digest(
    store: Store, published: FaultyRegistry
) -> None:
    published.publish("team/model", "v1", pack())
    path_of(store, MODEL.id).unlink()
    flip(path_of(store, MODEL.layers[0]))

    assert all(outcome.is_mended for outcome in mend(store))
    assert str(store.models()[0].id) == MODEL.id
    assert verify(store).damages == ()
