"""What an earlier pull left is taken up where it can be trusted, and fetched anew where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.errors import IntegrityError, RegistryUnavailable, StorageError
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from tests.support.blob_faults import (
    asks_for_a_range,
    busy,
    cut_after,
    from_the_start,
    no_body,
    not_satisfiable,
    saying_range,
    the_whole,
)
from tests.support.faulty_registry import (
    FaultyRegistry,
    Packed,
    instead,
    wrong_bytes,
)
from tests.support.faulty_registry import error as error_answer
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

PART = SMALL_PARTS.part_size
CONTENT = weights(10 * PART + 1234)
MODEL = Packed.of_layers(CONTENT)
(LAYER,) = MODEL.layers
BLOB = Descriptor(digest=Digest.parse(LAYER), size=len(CONTENT), media_type="")
KEPT = 4 * PART + 500


@pytest.fixture
def published(registry: FaultyRegistry) -> FaultyRegistry:
    registry.publish("team/model", "v1", MODEL)
    return registry


@pytest.fixture
def broken_off(store: Store, published: FaultyRegistry) -> FaultyRegistry:
    """The registry, after a pull that got `KEPT` bytes."""
    published.spoil(LAYER, cut_after(KEPT), times=1)
    published.spoil(LAYER, busy(503))
    with pytest.raises(RegistryUnavailable):
        fetch(store, published, options=parts_of(len(CONTENT), connections=1))
    published.heal()
    published.requests.clear()
    published.sent.clear()
    return published


def partial_file(store: Store) -> Path:
    return store.blobs.partial_path(BLOB.digest)


def keep(store: Store, *pieces: tuple[int, bytes]) -> None:
    """Leave a partial blob with these bytes in it, as a pull does that is interrupted."""
    store.prepare()
    partial = store.blobs.open_partial(BLOB)
    assert partial is not None
    with partial:
        for offset, piece in pieces:
            partial.write(offset, piece)


def damage(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def assert_is_here(store: Store, registry: FaultyRegistry) -> None:
    assert str(store.get(f"{registry.host}/team/model:v1").id) == MODEL.id
    assert store.blobs.has(BLOB)
    assert_sound(store)
    assert list((store.root / "partial").iterdir()) == []


def test_only_what_is_missing_is_fetched_and_it_is_said(
    store: Store, broken_off: FaultyRegistry
) -> None:
    notes = Notes()

    pulled = fetch(store, broken_off, progress=notes)

    assert notes.begun[LAYER] == KEPT
    assert pulled.fetched == broken_off.sent_of(LAYER) == len(CONTENT) - KEPT
    assert_is_here(store, broken_off)


def test_a_second_break_in_a_resumed_pull_keeps_both_pieces(
    store: Store, broken_off: FaultyRegistry
) -> None:
    broken_off.spoil(LAYER, cut_after(PART), times=1)
    broken_off.spoil(LAYER, busy(503))
    with pytest.raises(RegistryUnavailable):
        fetch(store, broken_off, options=parts_of(len(CONTENT), connections=1))
    assert unfinished(store) == [LAYER]
    broken_off.heal()
    sent = broken_off.sent_of(LAYER)
    notes = Notes()

    fetch(store, broken_off, progress=notes)

    assert notes.begun[LAYER] == KEPT + PART
    assert broken_off.sent_of(LAYER) - sent == len(CONTENT) - KEPT - PART
    assert_is_here(store, broken_off)


def test_a_second_break_within_one_resumed_pull_is_passed(
    store: Store, broken_off: FaultyRegistry
) -> None:
    broken_off.spoil(LAYER, cut_after(1000), times=1)
    broken_off.spoil(LAYER, cut_after(PART), times=1)

    fetch(store, broken_off, options=parts_of(len(CONTENT), connections=1))

    assert broken_off.sent_of(LAYER) == len(CONTENT) - KEPT
    assert_is_here(store, broken_off)


def test_holes_are_filled_and_nothing_else_is_asked_for(
    store: Store, published: FaultyRegistry
) -> None:
    holes = [(100, 200), (PART - 1, PART + 1), (5 * PART, 8 * PART)]
    edges = [0, *(edge for hole in holes for edge in hole), len(CONTENT)]
    there = list(zip(edges[::2], edges[1::2], strict=True))
    keep(store, *((start, CONTENT[start:end]) for start, end in there))

    fetch(store, published)

    assert published.sent_of(LAYER) == sum(end - start for start, end in holes)
    assert_is_here(store, published)


def test_a_whole_one_is_verified_and_kept_without_a_request(
    store: Store, published: FaultyRegistry
) -> None:
    keep(store, (0, CONTENT))
    published.spoil(LAYER, not_satisfiable(len(CONTENT)))
    notes = Notes()

    pulled = fetch(store, published, progress=notes)

    assert notes.begun[LAYER] == len(CONTENT)
    assert pulled.fetched == 0
    assert not any(path.endswith(LAYER) for path in published.paths())
    assert_is_here(store, published)


def test_a_whole_one_killed_before_it_got_its_name_needs_no_journal(
    store: Store, published: FaultyRegistry
) -> None:
    store.prepare()
    path = partial_file(store)
    path.parent.mkdir()
    path.write_bytes(CONTENT)

    fetch(store, published)

    assert published.sent_of(LAYER) == 0
    assert_is_here(store, published)


def test_a_whole_one_that_is_damaged_is_fetched_anew(
    store: Store, published: FaultyRegistry
) -> None:
    keep(store, (0, CONTENT))
    damage(partial_file(store), 3 * PART)
    notes = Notes()

    fetch(store, published, progress=notes)

    assert published.sent_of(LAYER) == len(CONTENT)
    assert len([text for text in notes.notices if "damaged: once more" in text]) == 1
    assert_is_here(store, published)


@pytest.mark.parametrize("offset", [0, KEPT - 1])
def test_kept_bytes_that_are_damaged_are_fetched_anew_once(
    store: Store, broken_off: FaultyRegistry, offset: int
) -> None:
    damage(partial_file(store), offset)
    notes = Notes()

    fetch(store, broken_off, progress=notes)

    assert broken_off.sent_of(LAYER) == len(CONTENT) - KEPT + len(CONTENT)
    assert len([text for text in notes.notices if "damaged: once more" in text]) == 1
    assert_is_here(store, broken_off)


def test_wrong_bytes_for_the_rest_are_an_error_after_one_more_try(
    store: Store, broken_off: FaultyRegistry
) -> None:
    broken_off.spoil(LAYER, wrong_bytes)

    with pytest.raises(IntegrityError, match="wrong bytes"):
        fetch(store, broken_off)

    assert broken_off.sent_of(LAYER) == len(CONTENT) - KEPT + len(CONTENT)
    assert unfinished(store) == []
    assert not store.blobs.has(BLOB)


@pytest.mark.parametrize(
    "journal",
    [b"", b"nonsense\n", b"\xff" * 100, b"blob sha256:00 1 00000000\n"],
    ids=["empty", "text", "bytes", "another's"],
)
def test_bytes_whose_journal_is_damaged_are_not_trusted(
    store: Store, broken_off: FaultyRegistry, journal: bytes
) -> None:
    partial_file(store).with_name(f"{partial_file(store).name}.journal").write_bytes(journal)
    notes = Notes()

    fetch(store, broken_off, progress=notes)

    assert notes.begun[LAYER] == 0
    assert broken_off.sent_of(LAYER) == len(CONTENT)
    assert_is_here(store, broken_off)


@pytest.mark.parametrize("by", [-1, +1, -KEPT])
def test_a_file_of_another_length_is_not_trusted(
    store: Store, broken_off: FaultyRegistry, by: int
) -> None:
    path = partial_file(store)
    content = path.read_bytes()
    path.write_bytes(content[:by] if by < 0 else content + bytes(by))

    fetch(store, broken_off)

    assert broken_off.sent_of(LAYER) == len(CONTENT)
    assert_is_here(store, broken_off)


RANGES_NOT_SERVED = {
    "ignored": the_whole(CONTENT),
    "of other bytes": from_the_start(CONTENT),
    "said to be other bytes": saying_range(f"bytes 1-2/{len(CONTENT)}"),
    "refused": not_satisfiable(len(CONTENT)),
    "refused without a word": instead(error_answer(416, "RANGE_INVALID")),
}


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("change", RANGES_NOT_SERVED.values(), ids=RANGES_NOT_SERVED.keys())
def test_where_ranges_are_not_served_the_whole_comes_and_what_is_there_stays(
    store: Store, broken_off: FaultyRegistry, change: Change, connections: int
) -> None:
    broken_off.spoil(LAYER, change, when=asks_for_a_range)

    pulled = fetch(store, broken_off, options=parts_of(PART, connections=connections))

    whole = [r for r in broken_off.requests if r.path.endswith(LAYER) and "range" not in r.headers]
    assert len(whole) == 1
    assert pulled.fetched == len(CONTENT) - KEPT
    assert_is_here(store, broken_off)


def test_where_ranges_are_not_served_kept_bytes_that_are_damaged_are_fetched_anew(
    store: Store, broken_off: FaultyRegistry
) -> None:
    damage(partial_file(store), 0)
    broken_off.spoil(LAYER, the_whole(CONTENT), when=asks_for_a_range)

    pulled = fetch(store, broken_off)

    assert pulled.fetched == len(CONTENT) - KEPT + len(CONTENT)
    assert_is_here(store, broken_off)


def test_no_body_for_the_rest_is_tried_again(store: Store, broken_off: FaultyRegistry) -> None:
    broken_off.spoil(LAYER, no_body, times=HASTY.retries)

    fetch(store, broken_off, options=parts_of(PART, connections=1))

    assert broken_off.sent_of(LAYER) == len(CONTENT) - KEPT
    assert_is_here(store, broken_off)


def test_no_body_for_the_rest_at_last_ends_it_and_keeps_what_is_there(
    store: Store, broken_off: FaultyRegistry
) -> None:
    broken_off.spoil(LAYER, no_body)

    with pytest.raises(RegistryUnavailable, match=r"ended .* before the end"):
        fetch(store, broken_off)

    broken_off.heal()
    notes = Notes()
    fetch(store, broken_off, progress=notes)
    assert notes.begun[LAYER] == KEPT
    assert_is_here(store, broken_off)


def test_a_blob_that_has_another_size_there_ends_it_and_keeps_what_is_there(
    store: Store, broken_off: FaultyRegistry
) -> None:
    broken_off.spoil(LAYER, not_satisfiable(KEPT - 1), when=asks_for_a_range)

    with pytest.raises(IntegrityError, match=f"has {KEPT - 1} bytes there"):
        fetch(store, broken_off)

    assert not store.blobs.has(BLOB)
    broken_off.heal()
    fetch(store, broken_off)
    assert broken_off.sent_of(LAYER) == len(CONTENT) - KEPT
    assert_is_here(store, broken_off)


def test_the_same_digest_with_another_size_begins_anew_and_is_refused(
    store: Store, broken_off: FaultyRegistry
) -> None:
    def smaller(manifest: dict[str, list[dict[str, int]]]) -> None:
        manifest["layers"][0]["size"] -= 1

    broken_off.publish("team/model", "v1", MODEL.altered(smaller))

    with pytest.raises(IntegrityError):
        fetch(store, broken_off, options=parts_of(PART, connections=1))

    assert not store.blobs.has(BLOB)
    assert unfinished(store) == []


class TestSpace:
    def test_too_little_is_said_before_a_blob_is_asked_for(
        self, store: Store, published: FaultyRegistry
    ) -> None:
        def huge(manifest: dict[str, list[dict[str, int]]]) -> None:
            manifest["layers"][0]["size"] = 10**18

        published.publish("team/model", "v1", MODEL.altered(huge))

        with pytest.raises(StorageError, match=r"too small: .* are to be fetched"):
            fetch(store, published)

        assert not any("/blobs/" in path for path in published.paths())
        assert store.models() == []

    def test_what_is_there_counts(
        self, store: Store, broken_off: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        just_enough = len(CONTENT) - KEPT + 8192  # files are kept in blocks

        class Disk:
            f_bavail, f_frsize = just_enough, 1

        monkeypatch.setattr("smolctl.store.blobs.os.statvfs", lambda _: Disk)

        fetch(store, broken_off)

        assert_is_here(store, broken_off)
