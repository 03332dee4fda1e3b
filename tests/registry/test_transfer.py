"""The parallel transfer: parts, ranges that are not served, and failures that are tried again."""

from __future__ import annotations

import threading
import time
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import AccessDenied, IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.model.reference import Reference
from smolctl.registry.blob_stream import BlobStream
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import pull
from smolctl.registry.source import Source
from smolctl.registry.transfer import Transfer
from smolctl.registry.transfer_options import TransferOptions
from tests.support.blob_faults import (
    SignedAddresses,
    Silence,
    Trickle,
    asks_for_a_range,
    asks_from,
    busy,
    cut_after,
    from_the_start,
    no_body,
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
    no_authorization_allowed,
    redirect,
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

KIBIBYTE = 1024
PART = SMALL_PARTS.part_size
CONTENT = weights(10 * PART + 1234)
MODEL = Packed.of_layers(CONTENT)
(LAYER,) = MODEL.layers
SHORT = {"timeouts": (5.0, 0.05)}
"""A stall is over in 50 ms."""


@pytest.fixture
def published(registry: FaultyRegistry) -> FaultyRegistry:
    """The registry, with a model whose one layer takes eleven parts."""
    registry.publish("team/model", "v1", MODEL)
    return registry


def ranges(registry: FaultyRegistry, layer: str = LAYER) -> list[tuple[int, int] | None]:
    """What was asked of `layer`, in order: offsets of a range, or None for all of it."""
    asked = [r.headers.get("range") for r in registry.requests if r.path.endswith(layer)]
    return [None if text is None else _offsets(text) for text in asked]


def _offsets(text: str) -> tuple[int, int]:
    start, _, last = text.removeprefix("bytes=").partition("-")
    return int(start), int(last) + 1


def assert_is_here(store: Store, registry: FaultyRegistry, model: Packed = MODEL) -> None:
    found = store.get(f"{registry.host}/team/model:v1")
    assert str(found.id) == model.id
    assert store.missing_blobs(store.artifact(found).manifest) == []
    assert_sound(store)
    assert unfinished(store) == []


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


PASSING = {
    "cut": cut_after(100),
    "cut at its beginning": cut_after(0),
    "no body": no_body,
    "408": busy(408),
    "429": busy(429),
    "429 that names a time": busy(429, "0"),
    "500": busy(500),
    "502": busy(502),
    "503": busy(503),
    "504": busy(504),
}

FINAL = {
    "400": (busy(400), RegistryUnavailable),
    "401": (busy(401), AccessDenied),
    "403": (busy(403), AccessDenied),
    "404": (busy(404), ModelNotFound),
    "405": (busy(405), RegistryUnavailable),
    "410": (busy(410), RegistryUnavailable),
    "451": (busy(451), RegistryUnavailable),
}


class TestFailures:
    @pytest.mark.parametrize("change", PASSING.values(), ids=PASSING.keys())
    def test_that_may_pass_are_tried_again(
        self, store: Store, published: FaultyRegistry, change: Change
    ) -> None:
        for part in (0, 3, 10):
            published.spoil(LAYER, change, when=asks_from(part * PART), times=HASTY.retries)

        fetch(store, published)

        assert_is_here(store, published)

    @pytest.mark.parametrize("change", PASSING.values(), ids=PASSING.keys())
    def test_that_do_not_pass_end_it_and_what_came_is_kept(
        self, store: Store, published: FaultyRegistry, change: Change
    ) -> None:
        published.spoil(LAYER, change, when=lambda request: not asks_from(0)(request))
        pause = Pause(PART)
        published.spoil(LAYER, pause, when=asks_from(0))
        pause.go_on.set()

        with pytest.raises(RegistryUnavailable) as caught:
            fetch(store, published, options=parts_of(PART, connections=1))

        assert type(caught.value) is RegistryUnavailable
        assert caught.value.exit_code == 5
        assert f"(tried {HASTY.retries + 1} times)" in caught.value.message
        assert unfinished(store) == [LAYER]
        published.heal()
        notes = Notes()
        sent = published.sent_of(LAYER)
        fetch(store, published, progress=notes)
        assert notes.begun[LAYER] >= PART
        assert published.sent_of(LAYER) - sent == len(CONTENT) - notes.begun[LAYER]
        assert_is_here(store, published)

    @pytest.mark.parametrize(("change", "wanted"), FINAL.values(), ids=FINAL.keys())
    def test_that_are_there_to_stay_are_not_tried_again(
        self, store: Store, published: FaultyRegistry, change: Change, wanted: type[Exception]
    ) -> None:
        published.spoil(LAYER, change)

        with pytest.raises(wanted):
            fetch(store, published, options=parts_of(PART, connections=1))

        assert len(ranges(published)) == 1
        assert unfinished(store) == []

    def test_that_are_there_to_stay_are_not_met_again_by_an_idle_connection(
        self, store: Store, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = registry.publish("team/model", "v1", Packed.of_layers(weights(PART)))
        registry.spoil(model.layers[0], busy(404))
        fail = Transfer._fail

        def fail_slowly(transfer: Transfer, error: BaseException) -> None:
            time.sleep(0.05)  # enough for another connection to ask
            fail(transfer, error)

        monkeypatch.setattr(Transfer, "_fail", fail_slowly)

        with pytest.raises(ModelNotFound):
            fetch(store, registry)

        assert len(ranges(registry, model.layers[0])) == 1

    def test_a_cut_body_is_continued_where_it_stopped(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, cut_after(1000), when=asks_from(PART), times=1)
        published.spoil(LAYER, cut_after(2000), when=asks_from(PART + 1000), times=1)

        fetch(store, published)

        assert (PART + 1000, 2 * PART) in ranges(published)
        assert (PART + 3000, 2 * PART) in ranges(published)
        assert published.sent_of(LAYER) == len(CONTENT)
        assert_is_here(store, published)

    def test_do_not_count_while_there_is_progress(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, cut_after(17 * KIBIBYTE))

        fetch(store, published, options=parts_of(len(CONTENT), connections=1))

        assert len(ranges(published)) > 10 * HASTY.retries
        assert published.sent_of(LAYER) == len(CONTENT)
        assert_is_here(store, published)

    def test_count_when_there_is_hardly_any(self, store: Store, published: FaultyRegistry) -> None:
        published.spoil(LAYER, cut_after(1000))

        with pytest.raises(RegistryUnavailable):
            fetch(store, published, options=parts_of(PART, connections=1))

        assert len(ranges(published)) == HASTY.retries + 1

    def test_a_stall_is_broken_off_and_continued(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        stall = Pause(5000)
        published.spoil(LAYER, stall, when=asks_from(PART), times=1)
        try:
            fetch(store, published, **SHORT)
        finally:
            stall.go_on.set()

        assert (PART + 5000, 2 * PART) in ranges(published)
        assert_is_here(store, published)

    def test_a_stall_before_the_answer_is_broken_off(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        silence = Silence()
        published.spoil(LAYER, silence, when=asks_from(PART), times=1)
        try:
            fetch(store, published, **SHORT)
        finally:
            silence.go_on.set()

        assert ranges(published).count((PART, 2 * PART)) == 2
        assert_is_here(store, published)

    def test_stalls_without_end_are_named(self, store: Store, published: FaultyRegistry) -> None:
        stall = Pause(5000)
        published.spoil(LAYER, stall)
        try:
            with pytest.raises(RegistryUnavailable, match="sent nothing for"):
                fetch(store, published, **SHORT)
        finally:
            stall.go_on.set()

        assert unfinished(store) == [LAYER]

    def test_that_name_a_time_are_waited_for(self, store: Store, published: FaultyRegistry) -> None:
        asked: list[float] = []

        def note(_: Request, answer: Answer) -> Answer:
            asked.append(time.monotonic())
            return answer if asked[1:] else error(429, "TOOMANYREQUESTS", Retry_After="1")

        published.spoil(LAYER, note, when=asks_from(PART))
        notes = Notes()

        fetch(store, published, progress=notes)

        assert asked[1] - asked[0] >= 0.99
        assert any("too many requests" in text for text in notes.notices)
        assert_is_here(store, published)

    def test_that_name_too_long_a_time_are_final(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, busy(503, "3600"))

        with pytest.raises(RegistryUnavailable, match="left alone for 3600 s"):
            fetch(store, published, options=parts_of(PART, connections=1))

        assert len(ranges(published)) == 1

    def test_wrong_bytes_in_one_part_throw_the_blob_away(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, wrong_bytes, when=asks_from(5 * PART))

        with pytest.raises(IntegrityError, match="wrong bytes"):
            fetch(store, published)

        assert unfinished(store) == []
        assert not (store.root / "blobs" / "sha256" / LAYER[7:]).exists()
        published.heal()
        fetch(store, published)
        assert_is_here(store, published)

    def test_wrong_bytes_in_one_layer_keep_what_came_of_another(
        self, store: Store, registry: FaultyRegistry
    ) -> None:
        small = weights(PART, 7)
        model = registry.publish("team/model", "v1", Packed.of_layers(small, CONTENT))
        stall = Pause(PART // 2)
        registry.spoil(LAYER, stall, when=asks_from(2 * PART))
        bad = model.layers[0]

        def once_the_other_is_on_its_way(request: Request, answer: Answer) -> Answer:
            return replace(
                wrong_bytes(request, answer), before=lambda: stall.reached.wait(30) or None
            )

        registry.spoil(bad, once_the_other_is_on_its_way)
        try:
            with pytest.raises(IntegrityError, match=bad):
                fetch(store, registry)
        finally:
            stall.go_on.set()

        assert unfinished(store) == [LAYER]
        registry.heal()
        notes = Notes()
        fetch(store, registry, progress=notes)
        assert notes.begun[LAYER] >= PART
        assert_is_here(store, registry, model)


class TestTokens:
    def test_that_expire_in_the_middle_are_renewed_once(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        access = published.want_token()

        def expire(_: Request, answer: Answer) -> Answer:
            access.expire()
            return answer

        published.spoil(LAYER, expire, when=asks_from(2 * PART), times=1)

        fetch(store, published)

        assert len(access.granted) == 2
        assert_is_here(store, published)

    def test_that_expire_with_every_part_are_renewed_as_often(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        access = published.want_token()

        def expire(_: Request, answer: Answer) -> Answer:
            if answer.status == 206:
                access.expire()
            return answer

        published.spoil(LAYER, expire)

        fetch(store, published, options=parts_of(PART, connections=1))

        assert len(access.granted) == len(CONTENT) // PART + 1
        assert_is_here(store, published)


class TestRedirects:
    @pytest.mark.parametrize("refusal", [400, 401, 403, 404, 410])
    @pytest.mark.parametrize("uses", [1, 3])
    def test_to_an_address_that_expires_are_asked_for_anew(
        self,
        store: Store,
        published: FaultyRegistry,
        elsewhere: FaultyRegistry,
        refusal: int,
        uses: int,
    ) -> None:
        elsewhere.publish("team/model", "v1", MODEL)
        published.want_token()
        signed = SignedAddresses(elsewhere, uses, refusal)
        signed.stand_before(published)

        fetch(store, published, options=parts_of(PART, connections=1))

        assert signed.refused == (len(CONTENT) // PART) // uses
        assert signed.issued == signed.refused + 2  # and one for the config
        assert all(request.authorization is None for request in elsewhere.requests)
        assert elsewhere.sent_of(LAYER) >= len(CONTENT)
        assert_is_here(store, published)

    def test_to_one_that_lasts_are_followed_without_asking_again(
        self, store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        elsewhere.publish("team/model", "v1", MODEL)
        signed = SignedAddresses(elsewhere, 1000, 403)
        signed.stand_before(published)

        fetch(store, published, options=parts_of(PART, connections=2))

        assert len(ranges(published)) <= 2
        assert_is_here(store, published)

    def test_to_storage_that_breaks_off_are_asked_for_anew(
        self, store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        elsewhere.publish("team/model", "v1", MODEL)
        elsewhere.spoil(LAYER, cut_after(10), when=lambda request: not asks_from(0)(request))
        published.spoil(LAYER, redirect(lambda r: f"http://{elsewhere.host}{r.path}?a"), times=1)

        fetch(store, published, options=parts_of(PART, connections=1))

        assert published.sent_of(LAYER) == len(CONTENT) - PART - 10
        assert_is_here(store, published)

    def test_to_storage_that_stays_broken_end_it(
        self, store: Store, published: FaultyRegistry, elsewhere: FaultyRegistry
    ) -> None:
        published.spoil(LAYER, redirect(lambda r: f"http://{elsewhere.host}{r.path}?a=s3cret"))
        elsewhere.spoil("", no_authorization_allowed)

        with pytest.raises(ModelNotFound) as caught:
            fetch(store, published)

        assert "s3cret" not in caught.value.message


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
    return None if text is None else _offsets(text)[0]


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
