"""A header is read from a registry, and nothing of the weights."""

from __future__ import annotations

import pytest

from smolctl.errors import InvalidGGUF, RegistryUnavailable
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.gguf import GGUFHeader, TruncatedHeader
from smolctl.registry.client import RegistryClient
from smolctl.registry.remote_header import RANGE_ENDS, read_remote_header
from tests.support import gguf_files
from tests.support.blob_faults import asks_for_a_range, cut_after, the_whole
from tests.support.faulty_registry import FaultyRegistry, Packed, digest, error, instead
from tests.support.large_blob import LargeBlob, wordy_header
from tests.support.pulling import HASTY

MIB = 1024 * 1024


def read(registry: FaultyRegistry, blob: LargeBlob) -> GGUFHeader:
    described = Descriptor("", Digest.parse(blob.digest), blob.size)
    with RegistryClient(registry.host, retries=HASTY) as client:
        return read_remote_header(client, "team/model", described)


def ranges(registry: FaultyRegistry) -> list[str | None]:
    return [request.headers.get("range") for request in registry.requests]


def test_one_that_is_short_takes_one_request(registry: FaultyRegistry) -> None:
    blob = LargeBlob(wordy_header(100))
    blob.publish(registry, "team/model", "v1")

    header = read(registry, blob)

    assert (header.vocabulary_size, header.block_count, header.size) == (100, 2, blob.size)
    assert ranges(registry) == ["bytes=0-262143"]
    assert registry.sent_of(blob.digest) <= RANGE_ENDS[0]


def test_the_range_grows_until_the_header_is_whole(registry: FaultyRegistry) -> None:
    blob = LargeBlob(wordy_header(60_000))
    blob.publish(registry, "team/model", "v1")
    assert RANGE_ENDS[1] < len(blob.beginning) < RANGE_ENDS[2]

    assert read(registry, blob).vocabulary_size == 60_000

    assert ranges(registry) == ["bytes=0-262143", "bytes=262144-1048575", "bytes=1048576-4194303"]
    assert registry.sent_of(blob.digest) <= RANGE_ENDS[2]


def test_a_registry_without_ranges_is_hung_up_on(registry: FaultyRegistry) -> None:
    blob = LargeBlob(wordy_header(60_000), serves_ranges=False)
    blob.publish(registry, "team/model", "v1")

    assert read(registry, blob).vocabulary_size == 60_000

    assert ranges(registry) == ["bytes=0-262143", None]
    assert registry.sent_of(blob.digest) < 32 * MIB


@pytest.mark.parametrize("serves_ranges", [True, False])
def test_a_header_that_goes_on_and_on_is_given_up(
    registry: FaultyRegistry, serves_ranges: bool
) -> None:
    endless = gguf_files.preamble(1, 1) + gguf_files.pair("a", "[uint8]", [])[:-8]
    blob = LargeBlob(endless + (2**28 - 99).to_bytes(8, "little"), serves_ranges=serves_ranges)
    blob.publish(registry, "team/model", "v1")

    with pytest.raises(InvalidGGUF):
        read(registry, blob)

    assert registry.sent_of(blob.digest) < 32 * MIB


def test_one_of_more_than_16_mib_is_not_read_to_its_end(registry: FaultyRegistry) -> None:
    long = gguf_files.header([("a", "string", "x" * (16 * MIB - 50))], [("t", (32,), 0, 0)])
    blob = LargeBlob(long)
    blob.publish(registry, "team/model", "v1")

    with pytest.raises(TruncatedHeader):
        read(registry, blob)

    assert ranges(registry)[-1] == f"bytes={RANGE_ENDS[2]}-{RANGE_ENDS[3] - 1}"
    assert registry.sent_of(blob.digest) == RANGE_ENDS[3]


@pytest.mark.parametrize("serves_ranges", [True, False])
def test_what_is_cut_off_goes_on(registry: FaultyRegistry, serves_ranges: bool) -> None:
    content = wordy_header(10_000) + bytes(200_000)
    registry.publish("team/model", "v1", Packed.of_layers(content))
    name = digest(content)
    registry.spoil(
        name, cut_after(5000), times=1, when=lambda it: serves_ranges == asks_for_a_range(it)
    )
    if not serves_ranges:
        registry.spoil(name, the_whole(content))
    described = Descriptor("", Digest.parse(name), len(content))

    with RegistryClient(registry.host, retries=HASTY) as client:
        header = read_remote_header(client, "team/model", described)

    assert header.vocabulary_size == 10_000
    if serves_ranges:
        assert ranges(registry) == ["bytes=0-262143", "bytes=5000-262143"]
    else:
        assert ranges(registry) == ["bytes=0-262143", None, None]


def test_a_registry_that_fails_is_said(registry: FaultyRegistry) -> None:
    registry.spoil("/blobs/", instead(error(503, "UNAVAILABLE")))

    with pytest.raises(RegistryUnavailable, match="503"):
        read(registry, LargeBlob(wordy_header(10)))


@pytest.mark.parametrize("what", gguf_files.HOSTILE)
def test_a_hostile_one_is_refused(registry: FaultyRegistry, what: str) -> None:
    blob = LargeBlob(gguf_files.HOSTILE[what], size=2**40)
    blob.publish(registry, "team/model", "v1")

    with pytest.raises(InvalidGGUF):
        read(registry, blob)
