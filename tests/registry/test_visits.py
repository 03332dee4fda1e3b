"""Requests put together to what a person calls a pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.reference import Reference
from smolctl.registry.sharing.answer import Taken
from smolctl.registry.sharing.shared_models import Shared
from smolctl.registry.sharing.visits import QUIET_SECONDS, Visit, Visits
from smolctl.store.store import StoredModel

if TYPE_CHECKING:
    import pytest

CONFIG, WEIGHTS = Digest.of(b"config"), Digest.of(b"weights")
SIZES = {CONFIG: 10, WEIGHTS: 1000}
PEER = "192.0.2.7"


def shared(tag: str) -> Shared:
    name = Reference.parse(f"ai/small:{tag}")
    return Shared(name, StoredModel(Descriptor.of(tag.encode(), "manifest"), (name,)))


class Told:
    """Visits, with a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.takes = 1.0
        self.visits = Visits(lambda: self.now)

    def manifest(self, tag: str = "v1", peer: str = PEER) -> None:
        assert self.visits.begin(peer, Taken(shared(tag)), SIZES) is None

    def blob(self, blob: Digest, start: int, count: int, tag: str = "v1", peer: str = PEER) -> None:
        visit = self.visits.begin(peer, Taken(shared(tag), blob), SIZES)
        assert visit is not None
        self.now += self.takes
        self.visits.end(peer, visit, blob, start, count)

    def ended(self, after: float = 0) -> list[Visit]:
        self.now += after
        return self.visits.ended()


def test_a_pull_in_parts_is_whole_with_the_last_of_them() -> None:
    told = Told()
    told.manifest()
    told.blob(CONFIG, 0, 10)
    told.blob(WEIGHTS, 500, 500)
    assert told.ended() == []
    told.blob(WEIGHTS, 0, 500)

    (visit,) = told.ended()
    assert (visit.peer, visit.bytes, visit.seconds, visit.whole) == (PEER, 1010, 3, True)
    assert visit.shared.name.tag == "v1"
    assert not told.visits.under_way
    assert told.ended(after=2 * QUIET_SECONDS) == []


def test_a_part_that_was_sent_twice_does_not_make_it_whole() -> None:
    told = Told()
    told.manifest()
    told.blob(CONFIG, 0, 10)
    told.blob(WEIGHTS, 0, 600)
    told.blob(WEIGHTS, 0, 600)
    assert told.ended() == []
    told.blob(WEIGHTS, 599, 401)
    assert [visit.whole for visit in told.ended()] == [True]


def test_what_ends_in_the_middle_is_told_of_once_it_is_quiet() -> None:
    told = Told()
    told.manifest()
    told.blob(WEIGHTS, 0, 100)
    assert told.ended(after=QUIET_SECONDS / 2) == []

    (visit,) = told.ended(after=QUIET_SECONDS / 2)
    assert (visit.bytes, visit.whole) == (100, False)


def test_an_answer_under_way_is_not_quiet() -> None:
    told = Told()
    visit = told.visits.begin(PEER, Taken(shared("v1"), WEIGHTS), SIZES)
    assert visit is not None
    assert told.ended(after=100 * QUIET_SECONDS) == []
    told.visits.end(PEER, visit, WEIGHTS, 0, 5)
    assert len(told.ended(after=QUIET_SECONDS)) == 1


def test_a_look_at_the_manifest_is_not_told_of() -> None:
    told = Told()
    told.manifest()
    assert told.ended(after=QUIET_SECONDS) == []
    assert not told.visits.under_way


def test_a_blob_of_two_models_is_of_the_one_that_was_asked_for_last() -> None:
    told = Told()
    told.manifest("v1")
    told.manifest("v2")
    told.blob(WEIGHTS, 0, 100, tag="v1")
    (visit,) = told.ended(after=QUIET_SECONDS)
    assert visit.shared.name.tag == "v2"


def test_two_machines_are_two() -> None:
    told = Told()
    told.blob(WEIGHTS, 0, 100)
    told.blob(WEIGHTS, 0, 200, peer="192.0.2.8")
    found = {visit.peer: visit.bytes for visit in told.ended(after=QUIET_SECONDS)}
    assert found == {PEER: 100, "192.0.2.8": 200}


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolctl.registry.sharing.visits._MAXIMUM_VISITS", 3)
    monkeypatch.setattr("smolctl.registry.sharing.visits._MAXIMUM_PIECES", 5)
    told = Told()
    told.takes = 0
    for number in range(5):
        told.blob(WEIGHTS, 0, 1, peer=f"192.0.2.{number}")
    assert [visit.peer for visit in told.ended()] == ["192.0.2.0", "192.0.2.1"]
    for number in range(0, 1000, 3):
        told.blob(WEIGHTS, number, 1)
    told.blob(CONFIG, 0, 10)
    told.blob(WEIGHTS, 0, 1000)
    # It took too many pieces to know that they are the whole, but not to count them.
    *_, visit = told.ended(after=QUIET_SECONDS)
    assert (visit.bytes, visit.whole) == (334 + 10 + 1000, False)
