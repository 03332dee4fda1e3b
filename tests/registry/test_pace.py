"""Which connections lag so far behind the others that they are replaced."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from smolctl.registry.pace import Connection, Pace

WINDOW = 5.0


@dataclass
class Stream:
    """Stands in for an answer; counts how often it was broken off."""

    aborted: int = 0

    def abort(self) -> None:
        self.aborted += 1


@dataclass
class Race:
    """Connections that receive at given rates while a clock goes on."""

    count: int
    now: float = 100.0
    streams: list[Stream] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connections = [Connection() for _ in range(self.count)]
        self.streams = [Stream() for _ in range(self.count)]
        self.pace = Pace(WINDOW, clock=lambda: self.now)
        for number in range(self.count):
            self.begin(number)

    def begin(self, number: int) -> None:
        self.connections[number].begin(self.streams[number])  # type: ignore[arg-type]
        self.connections[number]._since = self.now

    def go_on(self, *rates: int, seconds: float = WINDOW) -> list[int]:
        """Let time pass; returns who is lost then."""
        self.now += seconds
        for connection, rate in zip(self.connections, rates, strict=True):
            connection.received += int(rate * seconds)
        lost = self.pace.laggards(self.connections)
        return [self.connections.index(connection) for connection in lost]


def test_nobody_is_lost_before_the_window_is_over() -> None:
    race = Race(3)

    assert race.go_on(0, 1000, 1000, seconds=WINDOW - 0.1) == []
    assert race.go_on(0, 1000, 1000, seconds=0.2) == [0]


@pytest.mark.parametrize("rate", [0, 1, 99])
def test_one_far_below_the_others_median_is(rate: int) -> None:
    assert Race(4).go_on(1000, 1000, rate, 5000) == [2]


@pytest.mark.parametrize("rate", [101, 500])
def test_one_that_is_only_slow_is_not(rate: int) -> None:
    assert Race(4).go_on(1000, 1000, rate, 1000) == []


def test_everybody_is_slow_is_the_network() -> None:
    race = Race(4)
    race.go_on(1000, 1000, 1000, 1000)

    assert race.go_on(0, 0, 0, 0) == []


def test_one_fast_one_makes_the_others_no_laggards() -> None:
    assert Race(4).go_on(10, 10, 10, 100_000) == []


def test_two_do_not_say_what_is_usual() -> None:
    assert Race(2).go_on(0, 1000) == []


def test_one_that_began_within_the_window_has_its_time() -> None:
    race = Race(3)
    race.go_on(1000, 1000, 1000)
    race.now += 1
    race.begin(0)

    assert race.go_on(0, 1000, 1000, seconds=WINDOW - 1) == []
    assert race.go_on(0, 1000, 1000) == [0]


def test_each_window_is_judged_by_itself() -> None:
    race = Race(3)
    assert race.go_on(1_000_000, 1000, 1000) == []

    assert race.go_on(0, 1000, 1000) == [0]


def test_the_last_one_is_judged_by_what_was_usual() -> None:
    race = Race(3)
    race.go_on(1000, 1000, 1000)
    for number in (1, 2):
        race.connections[number].end()

    assert race.go_on(10, 0, 0) == [0]
    assert race.go_on(200, 0, 0) == []


def test_others_that_were_done_within_the_window_count() -> None:
    race = Race(3)
    for number in (1, 2):
        race.connections[number].end()

    assert race.go_on(10, 1000, 1000) == [0]


def test_idle_ones_are_never_lost() -> None:
    race = Race(4)
    race.connections[0].end()

    assert race.go_on(0, 1000, 1000, 1000) == []


class TestConnection:
    def test_breaks_off_what_it_receives(self) -> None:
        race = Race(1)

        race.connections[0].replace()

        assert race.connections[0].replaced
        assert race.streams[0].aborted == 1

    def test_that_receives_nothing_has_nothing_to_break_off(self) -> None:
        race = Race(1)
        race.connections[0].end()

        race.connections[0].abort()

        assert race.connections[0].busy_since is None
        assert race.streams[0].aborted == 0

    def test_is_replaced_a_few_times_for_each_part(self) -> None:
        race = Race(1)
        connection, stream = race.connections[0], race.streams[0]
        for _ in range(10):
            connection.replace()
        assert stream.aborted == 3

        connection.take_part()
        connection.replace()

        assert stream.aborted == 4
