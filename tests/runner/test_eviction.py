"""Making room in memory: who leaves, and for how much."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import NotRunnable, TooLittleMemory
from smolctl.runner import eviction
from smolctl.runner.eviction import evict_one, fit_with_room
from smolctl.runner.memory import usable_memory
from smolctl.runner.worker_status import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.address import WorkerFolder
    from smolctl.runner.runnable import Runnable


@dataclass
class Machine:
    """A machine with room for so many tokens of context, and workers that hold more of it."""

    room: int
    held: list[int] = field(default_factory=list)
    full_context: int | None = 131_072

    def fit(self, options: EngineOptions, usable: int | None = None) -> EngineOptions:
        if options.context_size is not None:
            if options.context_size > (self.room if usable is None else usable):
                raise TooLittleMemory(f"--ctx-size {self.room} is the largest that fits")
            return options
        return EngineOptions(context_size=min(self.room, self.full_context or 0))

    def make_room(self) -> bool:
        if self.held:
            self.room += self.held.pop(0)
            return True
        return False

    def fitted(self, asked: int | None = None, wanted: int = 0) -> int | None:
        model = cast("Runnable", self)
        options = EngineOptions(context_size=asked)
        reclaimable = self.reclaimable
        return fit_with_room(model, options, self.make_room, reclaimable, wanted).context_size

    def reclaimable(self) -> int:
        # The real `usable_memory` is added to it.
        return self.room + sum(self.held) - usable_memory()


def test_nobody_leaves_where_there_is_room() -> None:
    machine = Machine(10_000, [5_000])
    assert machine.fitted() == 10_000
    assert machine.fitted(9_000) == 9_000
    assert machine.held == [5_000]


def test_they_leave_until_it_fits_and_no_longer() -> None:
    machine = Machine(1_000, [1_000, 2_000, 4_000])
    assert machine.fitted(3_500) == 3_500
    assert machine.held == [4_000]


def test_a_context_that_is_left_open_takes_a_comfortable_one() -> None:
    machine = Machine(1_000, [1_000, 8_000, 4_000])
    assert machine.fitted() == 10_000
    assert machine.held == [4_000]
    assert Machine(1_000, [2_000], full_context=1_000).fitted() == 1_000


def test_one_for_a_long_prompt_takes_what_that_needs() -> None:
    machine = Machine(10_000, [5_000, 5_000, 5_000])
    assert machine.fitted(wanted=18_000) == 20_000
    assert machine.held == [5_000]


def test_what_does_not_fit_with_everybody_gone_is_an_error_with_the_numbers() -> None:
    machine = Machine(1_000, [1_000])
    with pytest.raises(TooLittleMemory, match="--ctx-size 1000"):
        machine.fitted(100_000)
    assert machine.held == [1_000]  # nobody left for nothing
    assert Machine(500, [500]).fitted() == 1_000


def test_the_least_recently_used_one_that_is_idle_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, last_used: float, busy: int = 0) -> Worker:
        return Worker(tmp_path, "", name, 0, "", last_used=last_used, busy=busy)

    workers = [made("new", 3), made("old but stuck", 2), made("old and quick to ask", 1.5),
               made("older", 1), made("oldest and busy", 0, 1)]  # fmt: skip
    left: list[str] = []

    def unload(worker: Worker, *, only_idle: bool) -> bool:
        assert only_idle
        if "stuck" in worker.name:
            raise NotRunnable("it does not end")
        if "quick" in worker.name:
            return False  # it has got a request since
        left.append(worker.name)
        workers.remove(worker)
        return True

    monkeypatch.setattr(eviction, "survey", lambda _: (list(workers), []))
    monkeypatch.setattr(eviction, "unload", unload)
    folder = cast("WorkerFolder", None)
    said: list[Any] = []
    while evict_one(folder, said.append):
        pass
    assert left == ["older", "new"]
    assert len(said) == 2
