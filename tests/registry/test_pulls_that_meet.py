"""Pulls that meet another pull, or a removal, in the same cache."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smolctl.errors import AccessDenied, RegistryUnavailable, StorageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.registry.transfer_options import TransferOptions
from smolctl.store.blobs import Blobs
from smolctl.store.partial import PartialBlob
from smolctl.store.store import Store
from tests.support.blob_faults import asks_from, busy
from tests.support.faulty_registry import FaultyRegistry, Packed, Pause
from tests.support.pulling import (
    SMALL_PARTS,
    Notes,
    assert_sound,
    fetch,
    parts_of,
    unfinished,
    weights,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.processes import Smolctl

MEBIBYTE = 1024 * 1024
PART = SMALL_PARTS.part_size
CONTENT = weights(10 * PART + 1234)
MODEL = Packed.of_layers(CONTENT)
(LAYER,) = MODEL.layers


class Watching(Notes):
    """Notes that say when the pull waits for another one, and hears of its bytes; and of an end."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()
        self.moved = threading.Event()
        self.one_ended = threading.Event()

    def update(self, blob: Descriptor, present: int) -> None:
        super().update(blob, present)
        if self.waits.is_set() and present:
            self.moved.set()

    def end(self, blob: Descriptor) -> None:
        super().end(blob)
        self.one_ended.set()

    def notice(self, text: str) -> None:
        super().notice(text)
        if "another smolctl is fetching" in text:
            self.waits.set()


@pytest.fixture
def published(registry: FaultyRegistry) -> FaultyRegistry:
    registry.publish("team/model", "v1", MODEL)
    return registry


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as running:
        yield running


def assert_is_here(store: Store, registry: FaultyRegistry, model: Packed = MODEL) -> None:
    found = store.get(f"{registry.host}/team/model:v1")
    assert str(found.id) == model.id
    assert store.missing_blobs(store.artifact(found).manifest) == []
    assert_sound(store)
    assert unfinished(store) == []


def test_the_second_waits_and_nothing_is_fetched_twice(
    store: Store, published: FaultyRegistry, pool: ThreadPoolExecutor
) -> None:
    pause = Pause()
    published.spoil(LAYER, pause, when=asks_from(2 * PART))
    first = pool.submit(fetch, store, published)
    notes = Watching()
    try:
        assert pause.reached.wait(30)
        second = pool.submit(fetch, Store(store.root), published, progress=notes)
        assert notes.waits.wait(30)
    finally:
        pause.go_on.set()

    assert first.result(30).fetched == len(CONTENT)
    assert second.result(30).fetched == 0
    assert notes.ended == [LAYER]
    assert published.sent_of(LAYER) == len(CONTENT)
    assert_is_here(store, published)


def test_the_second_takes_over_when_the_first_fails(
    store: Store, published: FaultyRegistry, pool: ThreadPoolExecutor
) -> None:
    pause = Pause()
    published.spoil(LAYER, pause, when=asks_from(2 * PART), times=1)
    published.spoil(LAYER, busy(403), when=asks_from(3 * PART), times=1)
    notes = Watching()
    first = pool.submit(fetch, store, published, options=parts_of(PART, connections=1))
    try:
        assert pause.reached.wait(30)
        second = pool.submit(fetch, Store(store.root), published, progress=notes)
        assert notes.waits.wait(30)
    finally:
        pause.go_on.set()

    with pytest.raises(AccessDenied):
        first.result(30)
    assert second.result(30).fetched == len(CONTENT) - 3 * PART
    assert published.sent_of(LAYER) == len(CONTENT)
    assert_is_here(store, published)


def test_the_second_fetches_meanwhile_what_the_first_does_not(
    store: Store, published: FaultyRegistry, pool: ThreadPoolExecutor
) -> None:
    own = weights(2 * PART, 5)
    both = published.publish("team/model", "v2", Packed.of_layers(CONTENT, own))
    pause = Pause()
    published.spoil(LAYER, pause, when=asks_from(2 * PART))
    first = pool.submit(fetch, store, published)
    notes = Watching()
    try:
        assert pause.reached.wait(30)
        second = pool.submit(fetch, store, published, "team/model:v2", notes)
        assert notes.one_ended.wait(30)
        assert (store.root / "blobs" / "sha256" / both.layers[1][7:]).exists()
    finally:
        pause.go_on.set()

    first.result(30)
    assert second.result(30).fetched == len(own)
    assert published.sent_of(LAYER) == len(CONTENT)
    assert_is_here(store, published)


def test_many_at_once_fetch_each_byte_once(store: Store, registry: FaultyRegistry) -> None:
    shared = [weights(3 * PART, number) for number in range(4)]
    for number in range(6):
        layers = [*shared[number % 3 :], weights(1000, 50 + number)]
        registry.publish("team/model", f"v{number}", Packed.of_layers(*layers))
    with ThreadPoolExecutor(6) as pool:
        pulls = [
            pool.submit(fetch, Store(store.root), registry, f"team/model:v{number}")
            for number in range(6)
        ]
        fetched = [pull.result(60).fetched for pull in pulls]

    assert sum(fetched) == 4 * 3 * PART + 6 * 1000
    for layer in Packed.of_layers(*shared).layers:
        assert registry.sent_of(layer) == 3 * PART
    assert len(store.models()) == 6
    assert_sound(store)
    assert unfinished(store) == []


def test_pulls_and_removals_at_random_leave_a_sound_cache(
    store: Store, registry: FaultyRegistry
) -> None:
    shared = weights(2 * PART, 1)
    names = []
    for number in range(3):
        model = Packed.of_layers(shared, weights(1000, 50 + number))
        registry.publish("team/model", f"v{number}", model)
        names.append(f"team/model:v{number}")

    def come_and_go(name: str) -> None:
        mine = Store(store.root)
        for _ in range(6):
            try:
                fetch(mine, registry, name)
            except StorageError as error:
                assert "removed again and again" in error.message  # noqa: PT017
                continue
            mine.remove(f"{registry.host}/{name}")

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(come_and_go, name) for name in names]:
            done.result(100)

    assert store.models() == []
    assert list((store.root / "blobs" / "sha256").iterdir()) == []
    assert list((store.root / "partial").iterdir()) == []


def test_a_config_that_goes_with_another_model_is_fetched_again(
    store: Store, published: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = published.publish("team/model", "v0", Packed.of_layers(b"GGUF"))
    assert other.config == MODEL.config
    fetch(store, published, "team/model:v0")
    check_space = Blobs.check_space

    def remove_the_other(blobs: Blobs, missing: Iterable[Descriptor]) -> None:
        # The config was here a moment ago, and is not among the missing.
        monkeypatch.undo()
        Store(store.root).remove(f"{published.host}/team/model:v0")
        check_space(blobs, missing)

    monkeypatch.setattr(Blobs, "check_space", remove_the_other)

    fetch(store, published)

    assert_is_here(store, published)


def test_a_cache_that_another_pull_makes_at_the_same_time_is_nobody_elses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = Path.iterdir

    def made_meanwhile(path: Path) -> Iterator[Path]:
        monkeypatch.undo()
        Store(store.root).prepare()
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", made_meanwhile)

    store.prepare()

    assert (store.root / "oci-layout").exists()


def test_a_partial_that_is_dropped_takes_nobody_elses_along(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.prepare()
    blob = Descriptor(digest=Digest.of(b"GGUF"), size=4, media_type="")
    dropped = store.blobs.open_partial(blob)
    close = PartialBlob.close
    others: list[PartialBlob] = []

    def close_after_another_has_begun(partial: PartialBlob) -> None:
        monkeypatch.undo()
        opened = store.blobs.open_partial(blob)
        assert opened is not None
        others.append(opened)
        close(partial)

    monkeypatch.setattr(PartialBlob, "close", close_after_another_has_begun)
    assert dropped is not None

    dropped.discard()

    (other,) = others
    with other:
        other.write(0, b"GGUF")
        other.commit()
    assert store.blobs.has(blob)


class TestProcesses:
    """The same with two real ones, of which the kernel may kill one."""

    PART = TransferOptions().part_size
    CONTENT = weights(PART + 8 * MEBIBYTE, 3)
    MODEL = Packed.of_layers(CONTENT)

    @pytest.fixture
    def large(self, registry: FaultyRegistry) -> FaultyRegistry:
        registry.publish("team/model", "v1", self.MODEL)
        return registry

    def test_the_second_shows_the_progress_and_takes_over_when_the_first_is_killed(
        self, smolctl: Smolctl, large: FaultyRegistry
    ) -> None:
        (layer,) = self.MODEL.layers
        name = f"{large.host}/team/model:v1"
        pause = Pause(2 * MEBIBYTE)
        large.spoil(layer, pause, when=asks_from(self.PART), times=1)
        first = smolctl.start("model", "pull", "-q", name)
        store = Store(smolctl.home)
        notes = Watching()
        try:
            assert pause.reached.wait(30)
            with ThreadPoolExecutor(1) as pool:
                second = pool.submit(fetch, store, large, progress=notes, options=TransferOptions())
                assert notes.waits.wait(30)
                assert notes.moved.wait(30)
                # All but the last mebibyte of the part that goes on is in the journal.
                wait_until(lambda: notes.counted.get(layer, 0) >= self.PART - MEBIBYTE)
                assert not notes.ended
                first.send_signal(signal.SIGKILL)
                first.wait(30)
                pulled = second.result(30)
        finally:
            first.kill()
            first.communicate()
            pause.go_on.set()

        # Of each run of bytes the journal has all but the last, unfinished mebibyte.
        assert pulled.fetched <= 8 * MEBIBYTE + 3 * MEBIBYTE
        assert large.sent_of(layer) <= len(self.CONTENT) + 5 * MEBIBYTE
        assert_is_here(store, large, self.MODEL)

    def test_two_commands_fetch_it_once(self, smolctl: Smolctl, large: FaultyRegistry) -> None:
        (layer,) = self.MODEL.layers
        name = f"{large.host}/team/model:v1"
        pause = Pause()
        large.spoil(layer, pause, when=asks_from(self.PART), times=1)
        first = smolctl.start("model", "pull", name)
        second = None
        try:
            assert pause.reached.wait(30)
            second = smolctl.start("model", "pull", name)
            assert second.stderr is not None
            said = next(line for line in second.stderr if b"another smolctl" in line)
            assert b"waiting for it" in said
        finally:
            pause.go_on.set()
            ends = [process.communicate(timeout=30) for process in (first, second) if process]

        assert [first.returncode, second.returncode] == [0, 0], ends
        # The rest of the part that stands still may be shared out, and then comes twice.
        assert large.sent_of(layer) < 1.5 * len(self.CONTENT)
        assert_is_here(Store(smolctl.home), large, self.MODEL)

    @pytest.mark.slow
    def test_a_removal_in_the_middle_of_a_pull_hurts_neither(
        self, smolctl: Smolctl, large: FaultyRegistry
    ) -> None:
        (layer,) = self.MODEL.layers
        old = large.publish("team/model", "v0", Packed.of_layers(weights(1000)))
        smolctl("model", "pull", "-q", f"{large.host}/team/model:v0", expect=0)
        pause = Pause()
        large.spoil(layer, pause, when=asks_from(self.PART), times=1)
        pulling = smolctl.start("model", "pull", "-q", f"{large.host}/team/model:v1")
        try:
            assert pause.reached.wait(30)
            smolctl("model", "rm", f"{large.host}/team/model:v0", expect=0)
        finally:
            pause.go_on.set()
            pulling.communicate(timeout=30)

        assert pulling.returncode == 0
        store = Store(smolctl.home)
        assert not (store.root / "blobs" / "sha256" / old.layers[0][7:]).exists()
        assert_is_here(store, large, self.MODEL)
        smolctl("model", "rm", f"{large.host}/team/model:v1", expect=0)
        assert list((store.root / "blobs" / "sha256").iterdir()) == []
        assert list((store.root / "partial").iterdir()) == []


def test_a_pull_that_waits_ends_with_its_own_failure(
    store: Store, published: FaultyRegistry, pool: ThreadPoolExecutor
) -> None:
    own = weights(1000, 5)
    both = published.publish("team/model", "v2", Packed.of_layers(CONTENT, own))
    published.spoil(both.layers[1], busy(405))
    pause = Pause()
    published.spoil(LAYER, pause, when=asks_from(2 * PART))
    first = pool.submit(fetch, store, published)
    try:
        assert pause.reached.wait(30)
        with pytest.raises(RegistryUnavailable, match="405"):
            fetch(store, published, "team/model:v2")
    finally:
        pause.go_on.set()

    first.result(30)
    assert_is_here(store, published)
