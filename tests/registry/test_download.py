"""The parts of a blob: which are given out, which are shared, what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.registry.download import Download, Part
from tests.support.pulling import weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.store.partial import PartialBlob
    from smolctl.store.store import Store

KIBIBYTE = 1024
SIZE = 4 * 1024 * KIBIBYTE
CONTENT = weights(SIZE)
BLOB = Descriptor(digest=Digest.of(CONTENT), size=SIZE, media_type="")


@pytest.fixture
def partial(store: Store) -> Iterator[PartialBlob]:
    store.prepare()
    opened = store.blobs.open_partial(BLOB)
    assert opened is not None
    with opened:
        yield opened


def offsets(part: Part | None) -> tuple[int, int] | None:
    return None if part is None else (part.position, part.end)


def take_all(download: Download) -> list[tuple[int, int] | None]:
    return [offsets(part) for part in iter(download.next_part, None)]


def receive(part: Part, count: int) -> None:
    part.download.partial.write(part.position, CONTENT[part.position : part.position + count])
    part.position += count
    part.gained += count


class TestParts:
    def test_go_from_the_beginning_to_the_end(self, partial: PartialBlob) -> None:
        taken = take_all(Download(partial, SIZE // 3))

        third = SIZE // 3
        assert taken == [
            (0, third),
            (third, 2 * third),
            (2 * third, 3 * third),
            (3 * third, SIZE),
        ]

    def test_are_of_what_is_missing(self, partial: PartialBlob) -> None:
        partial.write(100, CONTENT[100:200])
        partial.write(SIZE - 7, CONTENT[SIZE - 7 :])

        assert take_all(Download(partial, SIZE)) == [(0, 100), (200, SIZE - 7)]

    def test_of_which_something_is_left_come_again_first(self, partial: PartialBlob) -> None:
        download = Download(partial, SIZE // 4)
        part = download.next_part()
        assert part is not None
        receive(part, 10)

        download.ended(part)

        assert offsets(download.next_part()) == (10, SIZE // 4)
        assert offsets(download.next_part()) == (SIZE // 4, SIZE // 2)

    def test_that_are_done_do_not_come_again(self, partial: PartialBlob) -> None:
        download = Download(partial, SIZE)
        part = download.next_part()
        assert part is not None
        receive(part, SIZE)
        assert not download.is_fetched

        download.ended(part)

        assert download.is_fetched
        assert download.next_part() is None

    def test_that_are_all_of_it_know(self, partial: PartialBlob) -> None:
        whole = Download(partial, SIZE).next_part()
        first = Download(partial, SIZE - 1).next_part()
        assert whole is not None
        assert first is not None
        receive(whole, 10)

        assert whole.is_whole
        assert not first.is_whole


class TestWithoutRanges:
    def test_the_whole_is_one_part_once_nobody_writes(self, partial: PartialBlob) -> None:
        download = Download(partial, SIZE // 4)
        first, second = download.next_part(), download.next_part()
        assert first is not None
        assert second is not None
        receive(second, 500)
        download.serves_ranges = False

        assert download.next_part() is None
        download.ended(second)
        assert download.next_part() is None
        download.ended(first)

        whole = download.next_part()
        assert offsets(whole) == (0, SIZE)
        assert whole is not None
        assert whole.is_whole
        assert download.next_part() is None

    def test_nothing_is_shared(self, partial: PartialBlob, now: Clock) -> None:
        download = Download(partial, SIZE)
        download.serves_ranges = False
        part = download.next_part()
        assert part is not None
        part.began()
        now.seconds += 100

        assert download.half_of_a_slow_part() is None

    def test_another_source_may_serve_them(self, partial: PartialBlob) -> None:
        download = Download(partial, SIZE // 4)
        download.serves_ranges = False
        whole = download.next_part()
        assert whole is not None
        receive(whole, 500)

        download.next_source()
        download.ended(whole)

        part = download.next_part()
        assert offsets(part) == (500, 500 + SIZE // 4)
        assert part is not None
        assert part.source == 1
        assert download.is_mixed


class Clock:
    seconds = 1000.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("smolctl.registry.download.time.monotonic", lambda: clock.seconds)
    return clock


class TestSharing:
    def started(self, partial: PartialBlob) -> tuple[Download, Part]:
        download = Download(partial, SIZE)
        part = download.next_part()
        assert part is not None
        part.began()
        return download, part

    def test_the_later_half_of_a_slow_part_is_given_away(
        self, partial: PartialBlob, now: Clock
    ) -> None:
        download, part = self.started(partial)
        receive(part, SIZE // 4)
        now.seconds += 10

        half = download.half_of_a_slow_part()

        middle = SIZE // 4 + (SIZE - SIZE // 4) // 2
        assert offsets(part) == (SIZE // 4, middle)
        assert offsets(half) == (middle, SIZE)
        assert half in download.active

    def test_a_stalled_part_is_shared(self, partial: PartialBlob, now: Clock) -> None:
        download, _ = self.started(partial)
        now.seconds += 1

        assert offsets(download.half_of_a_slow_part()) == (SIZE // 2, SIZE)

    def test_a_fast_part_is_left_alone(self, partial: PartialBlob, now: Clock) -> None:
        download, part = self.started(partial)
        receive(part, SIZE // 2)
        now.seconds += 0.8

        assert download.half_of_a_slow_part() is None

    def test_a_part_that_has_just_begun_is_left_alone(
        self, partial: PartialBlob, now: Clock
    ) -> None:
        download, _ = self.started(partial)
        now.seconds += 0.4

        assert download.half_of_a_slow_part() is None

    def test_a_small_rest_is_left_alone(self, partial: PartialBlob, now: Clock) -> None:
        download, part = self.started(partial)
        receive(part, SIZE - 200 * KIBIBYTE)
        now.seconds += 1000

        assert download.half_of_a_slow_part() is None

    def test_the_slowest_is_the_one_to_share(self, partial: PartialBlob, now: Clock) -> None:
        download = Download(partial, SIZE // 2)
        fast, slow = download.next_part(), download.next_part()
        assert fast is not None
        assert slow is not None
        for part, count in ((fast, SIZE // 8), (slow, SIZE // 16)):
            part.began()
            receive(part, count)
        now.seconds += 10

        half = download.half_of_a_slow_part()

        assert half is not None
        assert half.end == SIZE
        assert fast.end == SIZE // 2
