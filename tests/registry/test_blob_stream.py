"""Answers to a request for bytes of a blob: which count, what is read of them, breaking one off."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
import requests

from smolctl.errors import IntegrityError, RegistryUnavailable
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.reference import Reference
from smolctl.registry.blob_stream import BlobStream, RangeIgnored, refused_range
from smolctl.registry.client import RegistryClient
from smolctl.registry.retry import TransientFailure
from tests.support.blob_faults import cut_after
from tests.support.certificates import make_certificate
from tests.support.faulty_registry import FaultyRegistry, Packed, Pause, too_long
from tests.support.pulling import weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024
CONTENT = weights(4 * MEBIBYTE)
MODEL = Packed.of_layers(CONTENT)
BLOB = Descriptor(digest=Digest.of(CONTENT), size=len(CONTENT), media_type="")


def response(status: int, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.raw = nullcontext()
    made.raw.close = lambda: None  # type: ignore[attr-defined]
    for name, value in headers.items():
        made.headers[name.replace("_", "-")] = value
    return made


def stream(answer: requests.Response, start: int, end: int) -> BlobStream:
    return BlobStream(answer, BLOB, start, end, nullcontext)


class TestWhatCounts:
    @pytest.mark.parametrize(
        "said", [f"bytes 5-9/{BLOB.size}", "bytes 5-9/*", f" bytes 5-9/{BLOB.size} "]
    )
    def test_the_range_that_was_asked_for(self, said: str) -> None:
        stream(response(206, Content_Range=said), 5, 10)

    @pytest.mark.parametrize(
        "said",
        [
            "",
            "bytes 5-8/*",
            "bytes 4-9/*",
            "bytes 5-10/*",
            "bytes */100",
            "bytes=5-9/*",
            "5-9/*",
            "items 5-9/*",
            "bytes 5-9",
            "bytes 5-9/*, bytes 5-9/*",
            "bytes +5-9/*",
            f"bytes 5-9/{'9' * 30}",
        ],
    )
    def test_no_other_range(self, said: str) -> None:
        with pytest.raises(RangeIgnored):
            stream(response(206, Content_Range=said), 5, 10)

    @pytest.mark.parametrize("size", [0, 1, BLOB.size - 1, BLOB.size + 1])
    def test_no_range_of_a_blob_of_another_size(self, size: int) -> None:
        with pytest.raises(IntegrityError):
            stream(response(206, Content_Range=f"bytes 5-9/{size}"), 5, 10)

    def test_no_whole_for_a_part(self) -> None:
        with pytest.raises(RangeIgnored):
            stream(response(200, Content_Length="5"), 5, 10)

    def test_a_whole_of_its_length_or_of_none_that_is_said(self) -> None:
        stream(response(200, Content_Length=str(BLOB.size)), 0, BLOB.size)
        stream(response(200), 0, BLOB.size)

    @pytest.mark.parametrize("length", [0, BLOB.size - 1, BLOB.size + 1])
    def test_no_whole_of_another_length(self, length: int) -> None:
        with pytest.raises(IntegrityError):
            stream(response(200, Content_Length=str(length)), 0, BLOB.size)

    def test_all_of_it_as_a_range_and_nothing_else_in_its_place(self) -> None:
        stream(response(206, Content_Range=f"bytes 0-{BLOB.size - 1}/*"), 0, BLOB.size)

        with pytest.raises(RegistryUnavailable) as caught:
            stream(response(206, Content_Range="bytes 0-9/*"), 0, BLOB.size)
        # There is nothing else to ask for: to try again would be to try without end.
        assert type(caught.value) is RegistryUnavailable


class TestRefusedRanges:
    @pytest.mark.parametrize("said", ["", "bytes */x", f"bytes */{BLOB.size}", "bytes 1-2/3"])
    def test_of_a_blob_of_the_right_size_are_ignored_ones(self, said: str) -> None:
        assert isinstance(refused_range(response(416, Content_Range=said), BLOB), RangeIgnored)

    def test_of_a_blob_of_another_size_say_so(self) -> None:
        failure = refused_range(response(416, Content_Range="bytes */77"), BLOB)

        assert isinstance(failure, IntegrityError)
        assert "77" in failure.message


@pytest.fixture
def client(registry: FaultyRegistry) -> Iterator[RegistryClient]:
    registry.publish("team/model", "v1", MODEL)
    with RegistryClient(registry.host) as opened:
        opened.fetch_manifest(Reference.parse(f"{registry.host}/team/model:v1"))
        yield opened


def read_all(opened: BlobStream) -> bytes:
    return b"".join(iter(lambda: opened.read(100_000), b""))


class TestReading:
    def test_gives_the_bytes_and_then_nothing(self, client: RegistryClient) -> None:
        with client.open_blob("team/model", BLOB, 1000, 3 * MEBIBYTE) as opened:
            assert read_all(opened) == CONTENT[1000 : 3 * MEBIBYTE]
            assert opened.read(10) == b""

    def test_to_the_end_lets_the_connection_be_used_again(
        self, client: RegistryClient, registry: FaultyRegistry
    ) -> None:
        before = registry.connections
        for start in range(0, MEBIBYTE, MEBIBYTE // 8):
            with client.open_blob("team/model", BLOB, start, start + 1000) as opened:
                read_all(opened)

        assert registry.connections == before

    def test_what_was_broken_off_does_not(
        self, client: RegistryClient, registry: FaultyRegistry
    ) -> None:
        before = registry.connections
        for _ in range(3):
            with client.open_blob("team/model", BLOB, 0, BLOB.size) as opened:
                opened.read(10)

        assert registry.connections == before + 2

    def test_ends_where_the_blob_does(
        self, client: RegistryClient, registry: FaultyRegistry
    ) -> None:
        def endless(request: object, answer: object) -> object:
            longer = too_long(request, answer)
            return type(longer)(longer.status, longer.headers, longer.body, None)

        registry.spoil("/blobs/", endless)

        with client.open_blob("team/model", BLOB, 0, BLOB.size) as opened:
            assert read_all(opened) == CONTENT

    @pytest.mark.parametrize("count", [0, 1, MEBIBYTE])
    def test_fails_where_it_is_cut(
        self, client: RegistryClient, registry: FaultyRegistry, count: int
    ) -> None:
        registry.spoil("/blobs/", cut_after(count))
        read = b""

        with client.open_blob("team/model", BLOB, 0, BLOB.size) as opened:
            while len(read) < count:
                read += opened.read(MEBIBYTE)
            with pytest.raises(TransientFailure):
                opened.read(MEBIBYTE)

        assert read == CONTENT[:count]


class TestBreakingOff:
    def test_ends_a_read_that_waits(self, client: RegistryClient, registry: FaultyRegistry) -> None:
        pause = Pause(0)
        registry.spoil("/blobs/", pause)
        try:
            with client.open_blob("team/model", BLOB, 0, BLOB.size) as opened:
                assert pause.reached.wait(30)
                threading.Timer(0.05, opened.abort).start()
                with pytest.raises(TransientFailure):
                    opened.read(10)
        finally:
            pause.go_on.set()

    def test_gives_nothing_more(self, client: RegistryClient) -> None:
        with client.open_blob("team/model", BLOB, 0, BLOB.size) as opened:
            opened.read(10)
            opened.abort()
            with pytest.raises(TransientFailure, match="broken off"):
                opened.read(10)

    def test_what_is_over_does_no_harm(self, client: RegistryClient) -> None:
        with client.open_blob("team/model", BLOB, 0, 100) as opened:
            read_all(opened)
            opened.abort()
        opened.abort()

    def test_over_tls_never_gives_what_is_not_decrypted(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1")
        with FaultyRegistry(certificate) as registry:
            registry.publish("team/model", "v1", MODEL)
            pause = Pause(MEBIBYTE // 2)
            registry.spoil("/blobs/", pause)
            with (
                RegistryClient(
                    registry.host, plain_http=False, ca_file=tmp_path / "ca.pem"
                ) as client,
                client.open_blob("team/model", BLOB, 0, BLOB.size) as opened,
            ):
                read = opened.read(1000)
                # More of it waits in the kernel, where it is not decrypted yet.
                assert pause.reached.wait(30)
                opened.abort()
                with pytest.raises(TransientFailure, match="broken off"):
                    read += opened.read(100_000)
                pause.go_on.set()

        assert read == CONTENT[: len(read)]
