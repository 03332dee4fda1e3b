"""The parallel transfer: parts, ranges that are not served, slow connections, memory."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import AccessDenied, IntegrityError, RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.blob_stream import BlobStream
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import pull
from smolctl.registry.source import Source
from smolctl.registry.transfer_options import TransferOptions
from tests.registry.model_in_parts import (
    CONTENT,
    KIBIBYTE,
    LAYER,
    MODEL,
    PART,
    assert_is_here,
    offsets,
    ranges,
)
from tests.support.blob_faults import (
    Trickle,
    asks_for_a_range,
    asks_from,
    busy,
    cut_after,
    from_the_start,
    not_satisfiable,
    saying_range,
    the_whole,
)
from tests.support.certificates import make_certificate
from tests.support.faulty_registry import (
    Answer,
    Endless,
    FaultyRegistry,
    Packed,
    Pause,
    Request,
    error,
    instead,
    wrong_bytes,
)
from tests.support.pulling import (
    HASTY,
    SMALL_PARTS,
    Notes,
    assert_sound,
    fetch,
    parts_of,
    unfinished,
    weights,
)

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.store.store import Store
    from tests.support.faulty_registry import Change


class TestParts:
    def test_of_a_large_blob_cover_it_once(self, store: Store, published: FaultyRegistry) -> None:
        fetch(store, published)

        asked = sorted(asked for asked in ranges(published) if asked is not None)
        assert asked[0][0] == 0
        assert asked[-1][1] == len(CONTENT)
        assert all(before[1] == after[0] for before, after in pairwise(asked))
        assert published.sent_of(LAYER) == len(CONTENT)
        assert_is_here(store, published)

    def test_are_fetched_at_the_same_time(self, store: Store, published: FaultyRegistry) -> None:
        everybody = threading.Barrier(4)

        def together(_: Request, answer: Answer) -> Answer:
            return replace(answer, before=lambda: everybody.wait(30))

        published.spoil(LAYER, together, times=4)

        fetch(store, published)

        assert not everybody.broken
        assert_is_here(store, published)

    def test_come_over_no_more_connections_than_were_allowed(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        fetch(store, published, options=parts_of(PART, connections=3))

        assert published.connections <= 3
        assert_is_here(store, published)

    def test_of_one_connection_come_in_order(self, store: Store, published: FaultyRegistry) -> None:
        fetch(store, published, options=parts_of(PART, connections=1))

        assert published.connections == 1
        assert ranges(published) == sorted(ranges(published))

    def test_may_be_single_bytes(self, store: Store, registry: FaultyRegistry) -> None:
        model = registry.publish("team/model", "v1", Packed.of_layers(b"GGUF and a bit"))

        fetch(store, registry, options=parts_of(1))

        assert len(ranges(registry, model.layers[0])) == 14
        assert_is_here(store, registry, model)

    @pytest.mark.parametrize("size", [PART - 1, PART])
    def test_a_blob_of_one_is_asked_for_without_a_range(
        self, store: Store, registry: FaultyRegistry, size: int
    ) -> None:
        model = registry.publish("team/model", "v1", Packed.of_layers(weights(size)))

        fetch(store, registry)

        assert ranges(registry, model.layers[0]) == [None]


class TestLayers:
    def test_of_no_bytes_are_asked_for_by_nobody(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        model = registry.publish("team/model", "v1", Packed.of_layers(b"", b"GGUF"))
        notes = Notes()

        fetch(store, registry, progress=notes)

        assert ranges(registry, model.layers[0]) == []
        assert sorted(notes.ended) == sorted(model.layers)
        assert_is_here(store, registry, model)

    def test_that_are_listed_twice_are_fetched_once(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        model = registry.publish("team/model", "v1", Packed.of_layers(CONTENT, b"x", CONTENT, b"x"))
        notes = Notes()

        pulled = fetch(store, registry, progress=notes)

        assert registry.sent_of(LAYER) == len(CONTENT)
        assert pulled.fetched == len(CONTENT) + 1
        assert len(notes.ended) == 2
        assert_is_here(store, registry, model)

    def test_one_that_is_the_config_too_is_fetched_once(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        config = next(iter(Packed.of_layers().blobs.values()))
        model = registry.publish("team/model", "v1", Packed.of_layers(config, CONTENT))

        fetch(store, registry)

        assert registry.paths().count(f"/v2/team/model/blobs/{model.config}") == 1
        assert_is_here(store, registry, model)

    def test_of_a_sharded_model_are_fetched_side_by_side(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        shards = [weights(3 * PART + number, number) for number in range(5)]
        model = registry.publish("team/model", "v1", Packed.of_layers(*shards))

        pulled = fetch(store, registry)

        assert pulled.fetched == sum(map(len, shards))
        assert_is_here(store, registry, model)

    def test_may_be_three_hundred_tiny_ones(self, store: Store, registry: FaultyRegistry) -> None:
        tiny = [weights(20 + number, number) for number in range(300)]
        model = registry.publish("team/model", "v1", Packed.of_layers(*tiny))

        fetch(store, registry)

        assert registry.connections <= SMALL_PARTS.connections
        assert_is_here(store, registry, model)


RANGES_GONE_WRONG = {
    "ignored": the_whole(CONTENT),
    "of other bytes, and said so": from_the_start(CONTENT),
    "said to be other bytes": saying_range(f"bytes 5-{PART + 4}/{len(CONTENT)}"),
    "said to end elsewhere": saying_range(f"bytes {PART}-{2 * PART}/{len(CONTENT)}"),
    "in another unit": saying_range(f"octets {PART}-{2 * PART - 1}/{len(CONTENT)}"),
    "that are no numbers": saying_range("bytes x-y/z"),
    "left unsaid": saying_range(""),
    "refused": not_satisfiable(len(CONTENT)),
    "refused without a word": instead(error(416, "RANGE_INVALID")),
}


class TestRanges:
    @pytest.mark.parametrize("change", RANGES_GONE_WRONG.values(), ids=RANGES_GONE_WRONG.keys())
    def test_that_go_wrong_make_it_one_stream(
        self, store: Store, published: FaultyRegistry, change: Change
    ) -> None:
        published.spoil(LAYER, change, when=asks_for_a_range)

        fetch(store, published)

        assert ranges(published).count(None) == 1
        assert_is_here(store, published)

    def test_that_go_wrong_once_are_not_asked_for_again(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        first, second = Pause(0), Pause(0)
        published.spoil(LAYER, first, when=asks_from(0))
        published.spoil(LAYER, busy(503), when=asks_from(PART), times=1)
        published.spoil(LAYER, second, when=asks_from(2 * PART))
        published.spoil(LAYER, the_whole(CONTENT), when=asks_from(3 * PART))
        # The one that failed asks again when another has found out.
        later = replace(HASTY, first=0.2, longest=0.2)
        pulling = threading.Thread(target=fetch, args=(store, published), kwargs={"retries": later})
        pulling.start()
        try:
            assert first.reached.wait(30)
            assert second.reached.wait(30)
            pulling.join(0.4)
        finally:
            first.go_on.set()
            second.go_on.set()
            pulling.join(30)

        asked = [asked for asked in ranges(published) if asked is not None]
        assert all(start % PART == 0 and end - start <= PART for start, end in asked)
        assert_is_here(store, published)

    def test_that_go_wrong_after_some_went_well_waste_nothing_that_came(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, the_whole(CONTENT), when=asks_from(9 * PART))
        notes = Notes()

        pulled = fetch(store, published, progress=notes)

        assert pulled.fetched == len(CONTENT)
        assert_is_here(store, published)

    def test_of_a_blob_of_another_size_are_refused(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, saying_range(f"bytes 0-{PART - 1}/{len(CONTENT) + 1}"))

        with pytest.raises(IntegrityError, match=f"has {len(CONTENT) + 1} bytes there"):
            fetch(store, published, options=parts_of(PART, connections=1))

        assert unfinished(store) == []

    def test_refused_because_the_blob_is_shorter_are_an_error(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, not_satisfiable(100), when=asks_for_a_range)

        with pytest.raises(IntegrityError, match="has 100 bytes there"):
            fetch(store, published)

    def test_of_unknown_total_are_good(self, store: Store, published: FaultyRegistry) -> None:
        def unknown(_: Request, answer: Answer) -> Answer:
            said = answer.headers["Content-Range"].partition("/")[0]
            return replace(answer, headers={**answer.headers, "Content-Range": f"{said}/*"})

        published.spoil(LAYER, unknown, when=asks_for_a_range)

        fetch(store, published)

        assert published.sent_of(LAYER) == len(CONTENT)
        assert_is_here(store, published)

    def test_a_stream_in_their_place_that_breaks_off_begins_anew(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, the_whole(CONTENT), when=asks_for_a_range)
        published.spoil(LAYER, cut_after(3 * PART), times=1)
        published.spoil(LAYER, cut_after(6 * PART), times=1)

        pulled = fetch(store, published)

        assert ranges(published).count(None) == 3
        assert pulled.fetched == len(CONTENT)
        assert_is_here(store, published)

    def test_a_stream_in_their_place_that_always_breaks_off_there_fails(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, the_whole(CONTENT), when=asks_for_a_range)
        published.spoil(LAYER, cut_after(3 * PART))

        with pytest.raises(RegistryUnavailable):
            fetch(store, published)

        assert ranges(published).count(None) == HASTY.retries + 1
        assert unfinished(store) == [LAYER]
        assert_sound(store)


class TestSlowConnections:
    def test_are_replaced(self, store: Store, published: FaultyRegistry) -> None:
        slow = Trickle()
        published.spoil(LAYER, slow, when=asks_from(PART), times=1)
        try:
            fetch(store, published, options=parts_of(PART, slow_after=0.05))
        finally:
            slow.go_on.set()

        again = [asked for asked in ranges(published) if asked and PART < asked[0] < 2 * PART]
        assert len(again) == 1
        assert_is_here(store, published)

    def test_are_replaced_when_all_others_are_done(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        slow = Trickle()
        published.spoil(LAYER, slow, when=asks_from(10 * PART), times=1)
        try:
            fetch(store, published, options=parts_of(PART, slow_after=0.05))
        finally:
            slow.go_on.set()

        assert_is_here(store, published)

    def test_are_replaced_a_few_times_and_cost_no_retries(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        slow = Trickle()
        published.spoil(LAYER, slow, when=lambda r: PART <= (_start(r) or 0) < 2 * PART)
        threading.Timer(0.8, slow.go_on.set).start()

        fetch(store, published, options=parts_of(PART, slow_after=0.05), retries=NO_RETRIES)

        again = [asked for asked in ranges(published) if asked and PART < asked[0] < 2 * PART]
        assert 1 <= len(again) <= 3
        assert_is_here(store, published)

    def test_over_tls_are_replaced_and_nothing_undecrypted_is_taken(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1")
        read = BlobStream.read
        broken_off: list[BlobStream] = []

        def read_and_break_off(stream: BlobStream, limit: int) -> bytes:
            chunk = read(stream, limit)
            if len(broken_off) < 3 and stream not in broken_off:
                # As when a connection lags; more of the answer waits in the kernel by now.
                broken_off.append(stream)
                stream.abort()
            return chunk

        monkeypatch.setattr(BlobStream, "read", read_and_break_off)
        with FaultyRegistry(certificate) as registry:
            registry.publish("team/model", "v1", MODEL)
            options = TransferOptions(connections=2, part_size=len(CONTENT))

            fetch(
                store,
                registry,
                options=options,
                plain_http=False,
                ca_file=tmp_path / "ca.pem",
            )

            assert len(broken_off) == 3
            assert_is_here(store, registry)


NO_RETRIES = replace(HASTY, retries=0)


def _start(request: Request) -> int | None:
    text = request.headers.get("range")
    return None if text is None else offsets(text)[0]


class TestMemory:
    def test_of_a_pull_does_not_grow_with_the_blob(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        size = 48 * KIBIBYTE * KIBIBYTE
        content = bytes(size)
        model = registry.publish("team/model", "v1", Packed.of_layers(content))
        tracemalloc.start()
        try:
            fetch(store, registry, options=parts_of(4 * KIBIBYTE * KIBIBYTE))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        # Both sides are in this process: the server holds up to a part for each connection.
        assert peak < size // 2
        assert registry.sent_of(model.layers[0]) == size

    @pytest.mark.parametrize("where", ["/manifests/", "/token", LAYER])
    def test_of_an_answer_of_64_mebibytes_is_bounded(
        self, store: Store, published: FaultyRegistry, where: str
    ) -> None:
        published.want_token()
        endless = Endless(64 * KIBIBYTE * KIBIBYTE)
        published.spoil(where, endless)
        tracemalloc.start()
        try:
            with pytest.raises((IntegrityError, AccessDenied, RegistryUnavailable)):
                fetch(store, published)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 16 * KIBIBYTE * KIBIBYTE


class TestSeveralSources:
    def test_what_one_damaged_and_the_next_completed_is_fetched_anew_from_the_next(
        self, store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        elsewhere.publish("team/model", "v1", MODEL)
        elsewhere.spoil(LAYER, wrong_bytes, when=asks_from(0))
        elsewhere.spoil(LAYER, busy(404), when=asks_from(5 * PART))
        reference = Reference.parse(f"{published.host}/team/model:v1")
        with (
            RegistryClient(elsewhere.host, retries=HASTY) as mirror,
            RegistryClient(published.host, retries=HASTY) as origin,
        ):
            sources = [Source(client, "team/model") for client in (mirror, origin)]
            options = parts_of(PART, connections=1)

            pull(store, sources, reference, options=options)

        assert published.sent_of(LAYER) == 2 * len(CONTENT) - 5 * PART
        assert_is_here(store, published)
