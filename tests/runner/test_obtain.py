"""Which worker a caller gets: the one that runs, or a new one in its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from smolctl import __version__
from smolctl.engine.options import EngineOptions
from smolctl.errors import EngineBusy, TooLittleMemory, UsageError
from smolctl.runner import eviction, obtain
from smolctl.runner.expectation import named_options
from smolctl.runner.obtain import obtain_worker
from smolctl.runner.source import file_source
from smolctl.runner.worker_status import Worker
from smolctl.settings import Settings
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.source import ModelSource
    from smolctl.runner.specification import WorkerSpecification

CONTEXT = 1024


@dataclass
class Machine:
    """Workers, as `obtain_worker` sees them. It has `memory` bytes, beside those of `running`.

    The context of a new one may be `cut` all the same.
    """

    settings: Settings
    source: ModelSource
    memory: int = 1 << 30
    running: list[Worker] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    started: list[EngineOptions] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    cut: int | None = None

    def run(self, context_size: int | None = None, cut: int | None = None, **changes: Any) -> None:
        """Have a worker run whose context was asked for, or left open and perhaps `cut`."""
        size = cut or context_size or CONTEXT
        options = EngineOptions(context_size=size, sequences=4, shared_cache=True)
        full = CONTEXT if context_size is None else None
        worker = Worker(
            self.settings.runtime, self.source.id, "tiny", 1, __version__, context_size=size,
            full_context=full, options=named_options(options),
        )  # fmt: skip
        self.running = [replace(worker, **changes)]

    def find(self, _: Path) -> Worker | None:
        return self.running[0] if self.running else None

    def unload(self, worker: Worker, *, only_idle: bool) -> bool:
        assert only_idle
        if worker.busy:
            return False
        self.running.clear()
        return True

    def start(self, specification: WorkerSpecification, *_: object, **__: object) -> Worker:
        self.started.append(specification.options)
        self.wanted.append(specification.wanted_context)
        self.run(
            specification.options.context_size,
            self.cut,
            wanted_context=specification.wanted_context,
        )
        return self.running[0]

    def obtain(self, tokens: int = 0, **options: Any) -> Worker:
        return obtain_worker(
            self.source,
            EngineOptions(**options),
            tokens=tokens,
            settings=self.settings,
            tell=self.said.append,
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    path = write_random_model(tmp_path / "tiny.gguf", Geometry(context=CONTEXT))
    settings = Settings.from_environment({"XDG_RUNTIME_DIR": str(tmp_path / "r")})
    settings = replace(settings, runtime=tmp_path / "r", state=tmp_path / "s")
    made = Machine(settings, file_source(path))
    monkeypatch.setattr(obtain, "_BUSY_SECONDS", 0)
    monkeypatch.setattr(obtain, "find_worker", made.find)
    monkeypatch.setattr(obtain, "unload", made.unload)
    monkeypatch.setattr(obtain, "start_worker", made.start)
    monkeypatch.setattr(eviction, "survey", lambda _: (made.running, []))
    monkeypatch.setattr("smolctl.runner.memory.usable_memory", lambda: made.memory)
    return made


class TestAContextThatAnotherAskedFor:
    def test_serves_what_fits_into_it(self, machine: Machine) -> None:
        machine.run(256)
        machine.obtain(tokens=256)
        assert machine.started == []

    @pytest.mark.parametrize("tokens", [257, 1_000_000])
    def test_gives_way_to_what_the_caller_would_have_got(
        self, machine: Machine, tokens: int
    ) -> None:
        machine.run(256)
        assert machine.obtain(tokens=tokens).context_size == CONTEXT
        assert machine.said == ["tiny was loaded with --ctx-size 256; it is being loaded anew."]

    def test_is_the_callers_own_where_it_is_named(self, machine: Machine) -> None:
        machine.run(256)
        machine.obtain(tokens=257, context_size=256)
        assert machine.started == []

    def test_stays_where_memory_has_no_more(self, machine: Machine) -> None:
        machine.run(256)
        machine.memory = 1
        machine.obtain(tokens=257)
        assert machine.started == []

    def test_stays_while_it_is_used(self, machine: Machine) -> None:
        machine.run(256, busy=1)
        with pytest.raises(EngineBusy, match="--ctx-size 256, and busy"):
            machine.obtain(tokens=257)


class TestAContextThatMemoryHasCut:
    def test_gives_way_once_there_is_room_for_the_prompt(self, machine: Machine) -> None:
        machine.run(cut=256)
        machine.obtain(tokens=600)
        assert len(machine.started) == 1

    def test_is_not_loaded_anew_again_where_that_did_not_help(self, machine: Machine) -> None:
        machine.run(cut=256)
        machine.cut = 300
        for tokens in (600, 600, 601):
            assert machine.obtain(tokens=tokens).context_size == 300
        assert machine.wanted == [600]

    def test_is_never_larger_than_the_models(self, machine: Machine) -> None:
        machine.run()
        machine.obtain(tokens=CONTEXT + 1)
        assert machine.started == []


class TestWhatCannotBe:
    """A worker that works does not leave for it."""

    def test_without_a_gpu(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(options: EngineOptions) -> None:
            raise UsageError(f"{options.gpu_layers} layers, and no GPU")

        monkeypatch.setattr("smolctl.engine.loading.check_gpu", refuse)
        machine.run()
        with pytest.raises(UsageError, match="1 layers"):
            machine.obtain(gpu_layers=1)
        assert (len(machine.running), machine.started) == (1, [])

    def test_in_too_little_memory(self, machine: Machine) -> None:
        machine.run(256, memory=1000)
        machine.memory = 1000
        with pytest.raises(TooLittleMemory, match=r"2\.00 kB can be had"):
            machine.obtain(context_size=512)
        assert (len(machine.running), machine.started) == (1, [])
