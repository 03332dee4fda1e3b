"""The parallel transfer: failures, tokens and redirects that expire."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import AccessDenied, IntegrityError, ModelNotFound, RegistryUnavailable
from smolctl.registry.transfer import Transfer
from tests.registry.model_in_parts import (
    CONTENT,
    KIBIBYTE,
    LAYER,
    MODEL,
    PART,
    SHORT,
    assert_is_here,
    ranges,
)
from tests.support.blob_faults import (
    SignedAddresses,
    Silence,
    asks_from,
    busy,
    cut_after,
    no_body,
)
from tests.support.faulty_registry import (
    Answer,
    FaultyRegistry,
    Packed,
    Pause,
    Request,
    error,
    no_authorization_allowed,
    redirect,
    wrong_bytes,
)
from tests.support.pulling import (
    HASTY,
    Notes,
    fetch,
    parts_of,
    unfinished,
    weights,
)

if TYPE_CHECKING:
    from smolctl.store.store import Store
    from tests.support.faulty_registry import Change

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
