"""Copies from one registry to another: what streams through, and what goes wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import IntegrityError, ModelNotFound
from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.copying import copy
from smolctl.registry.progress import NoProgress
from smolctl.registry.source import Source
from smolctl.registry.transfer_options import TransferOptions
from smolctl.registry.upload_client import UploadClient
from tests.support.faulty_registry import (
    Answer,
    FaultyRegistry,
    Packed,
    Request,
    short_of_its_length,
    wrong_bytes,
)
from tests.support.pulling import HASTY, Notes, weights

if TYPE_CHECKING:
    from smolctl.registry.push import Push

CHUNK = 64 * 1024
MODEL = Packed.of_layers(weights(300 * 1024), b"You may.\n")
LARGE = MODEL.layers[0]


def run(origin: FaultyRegistry, target: FaultyRegistry, name: str = "team/copy:v1") -> Push:
    """Copy `team/model:v1` of `origin` to `name` of `target`."""
    source = Reference.parse(f"{origin.host}/team/model:v1")
    reference = Reference.parse(f"{target.host}/{name}")
    options = TransferOptions(connections=2, chunk_size=CHUNK)
    client = {"retries": HASTY, "connections": 2}
    with (
        RegistryClient(origin.host, retries=HASTY, connections=2) as reads,
        UploadClient(target.host, reference.repository, **client) as writes,
    ):
        sources = [Source(reads, source.repository)]
        return copy(sources, source, writes, reference, NoProgress(), options)


@pytest.fixture
def origin(registry: FaultyRegistry) -> FaultyRegistry:
    registry.publish("team/model", "v1", MODEL)
    return registry


def test_every_blob_is_fetched_once_and_sent_once(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    done = run(origin, elsewhere)

    assert (str(done.digest), done.changed) == (MODEL.id, True)
    assert done.sent == sum(map(len, MODEL.blobs.values()))
    assert elsewhere.pushed["team/copy"] == MODEL.blobs
    assert elsewhere.requests[-1].body == MODEL.manifest
    assert sum(path.endswith(LARGE) for path in origin.paths()) == 1
    again = run(origin, elsewhere)
    assert (again.changed, again.sent) == (False, 0)


def test_what_is_there_is_not_fetched(origin: FaultyRegistry, elsewhere: FaultyRegistry) -> None:
    elsewhere.pushed["team/copy"] = dict(MODEL.blobs)

    done = run(origin, elsewhere)

    assert (done.changed, done.sent) == (True, 0)
    assert not any("/blobs/" in path for path in origin.paths())


def test_within_one_registry_blobs_are_mounted(registry: FaultyRegistry) -> None:
    registry.publish("team/model", "v1", MODEL)
    registry.pushed["team/model"] = dict(MODEL.blobs)

    done = run(registry, registry)

    assert (done.sent, done.mounted) == (0, sum(map(len, MODEL.blobs.values())))


def test_a_source_that_breaks_off_is_gone_on_with(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    origin.spoil(LARGE, short_of_its_length, times=1)

    run(origin, elsewhere)

    assert elsewhere.pushed["team/copy"] == MODEL.blobs
    assert any("range" in request.headers for request in origin.requests)


def test_a_source_without_ranges_is_read_anew(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    def whole(request: Request, answer: Answer) -> Answer:
        if "range" not in request.headers:
            return short_of_its_length(request, answer)
        return Answer.of(MODEL.blobs[LARGE])

    origin.spoil(LARGE, whole, times=2)

    run(origin, elsewhere)

    assert elsewhere.pushed["team/copy"] == MODEL.blobs


def test_wrong_bytes_of_a_source_make_no_model(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    origin.spoil(LARGE, wrong_bytes)

    with pytest.raises(IntegrityError):
        run(origin, elsewhere)

    assert LARGE not in elsewhere.pushed.get("team/copy", {})
    assert not any("/manifests/" in path for path in elsewhere.paths("PUT"))


def test_a_source_without_the_model_is_said(
    registry: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    with pytest.raises(ModelNotFound):
        run(registry, elsewhere)
    assert not elsewhere.requests


def test_a_target_that_fails_in_a_chunk_is_gone_on_with(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    def break_off(request: Request, answer: Answer) -> Answer:
        session = request.path.rpartition("/")[2]
        elsewhere.uploads[session] = elsewhere.uploads[session][: CHUNK + 10]
        return replace(answer, status=503, headers={})

    chunk = f"{CHUNK}-"
    elsewhere.spoil(
        "/blobs/uploads/",
        break_off,
        when=lambda request: request.headers.get("content-range", "").startswith(chunk),
        times=1,
    )

    run(origin, elsewhere)

    assert elsewhere.pushed["team/copy"] == MODEL.blobs


def test_a_mirror_that_has_it_not_is_passed_over_and_that_is_said(
    origin: FaultyRegistry, elsewhere: FaultyRegistry
) -> None:
    named = Reference.parse(f"{origin.host}/team/model:v1")
    notes = Notes()
    with (
        RegistryClient(elsewhere.host, retries=HASTY) as mirror,
        RegistryClient(origin.host, retries=HASTY) as reads,
        UploadClient(elsewhere.host, "team/copy", retries=HASTY) as writes,
    ):
        sources = [Source(mirror, "mirror/model"), Source(reads, "team/model")]
        target = Reference.parse(f"{elsewhere.host}/team/copy:v1")
        done = copy(sources, named, writes, target, notes, TransferOptions(connections=1))
    assert done.changed
    assert notes.passed_over == [elsewhere.host]
