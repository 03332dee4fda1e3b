"""The worker that a caller wants: one that runs, or a new one where none does or none will do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.engine.options import EngineOptions
from smolctl.errors import EngineBusy, TooLittleMemory
from smolctl.runner.address import WorkerFolder
from smolctl.runner.expectation import Expectation, expected
from smolctl.runner.specification import DEFAULT_KEEP_ALIVE, WorkerSpecification
from smolctl.runner.start import start_worker
from smolctl.runner.workers import find_worker, unload, worker_options
from smolctl.store.storage import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from smolctl.runner.source import ModelSource
    from smolctl.runner.worker_status import Worker
    from smolctl.settings import Settings

_BUSY_SECONDS = 10.0
_LOOK_SECONDS = 0.05


def obtain_worker(
    source: ModelSource,
    options: EngineOptions | None = None,
    *,
    named: Collection[str] | None = None,
    tokens: int = 0,
    settings: Settings,
    keep_alive: float | None = None,
    tell: Callable[[str], object] = lambda _: None,
    on_long: Callable[[], object] | None = None,
    debug: bool = False,
) -> Worker:
    """Return the worker that has `source` loaded; one is started where there is none.

    Two callers at once get one worker. The options called `named` (None: those that differ from
    the defaults) must be those of the worker: one that is idle is replaced, after `tell` was told,
    and so is one of another version of smolctl; `EngineBusy` when it has something to do. So is one
    whose context holds fewer than `tokens`, where the context is not named and a new worker's would
    hold them, or be the model's whole: others' flags must not decide what this caller gets.
    `keep_alive` is for a new one, in seconds, negative for ever; None for what the settings say.
    `on_long` is called when loading takes long. Raises what the worker could not start for.
    """
    folder = WorkerFolder.of(settings)
    folder.make()
    address = folder.address(source.id)
    options = options or EngineOptions()
    expectation = expected(options, named)
    wanted = _Wanted(
        source,
        worker_options(options, parallel="sequences" in expectation.options),
        expectation,
        tokens,
        folder,
    )
    worker = find_worker(address.socket)
    if worker is not None and wanted.difference(worker) is None:
        return worker
    # Whoever starts one holds the lock until it serves.
    with locked(address.lock) as lock:
        worker = find_worker(address.socket)
        if worker is not None:
            difference = wanted.difference(worker)
            if difference is None:
                return worker
            wanted.check(worker)
            _replace(worker, difference, tell)
        address.socket.unlink(missing_ok=True)
        specification = WorkerSpecification(
            source,
            wanted.options,
            folder,
            keep_alive=_keep_alive(keep_alive, settings),
            wanted_context=tokens,
            debug=debug,
        )
        return start_worker(specification, lock, on_long=on_long)


@dataclass(frozen=True)
class _Wanted:
    """A worker of `source` that meets the `expectation`; a new one would have these `options`."""

    source: ModelSource
    options: EngineOptions
    expectation: Expectation
    tokens: int
    folder: WorkerFolder

    def difference(self, worker: Worker) -> str | None:
        """Return what `worker` has that is not wanted; None when it will do."""
        difference = self.expectation.difference(worker.version, worker.options)
        if difference is None and self._is_too_small(worker):
            return f"--ctx-size {worker.context_size}"
        return difference

    def check(self, worker: Worker) -> None:
        """Raise what a new worker in the place of `worker` could not start for, if it is known.

        Before one that works is given up for one that does not: `TooLittleMemory` where not even
        it and the idle ones make room enough, `UsageError` for a GPU that is not there.
        """
        if self.options.gpu_layers:
            from smolctl.engine.loading import check_gpu  # llama.cpp takes 150 ms to import

            check_gpu(self.options)
        self._fitted(worker)

    def _is_too_small(self, worker: Worker) -> bool:
        """Whether a new worker would have a context for what that of `worker` does not hold."""
        if self.tokens <= worker.context_size or "context_size" in self.expectation.options:
            return False
        if worker.wanted_context > worker.context_size:
            return False  # it is as large as it could be made: what is free is an estimate
        if worker.full_context is not None and worker.context_size >= worker.full_context:
            return False
        try:
            fitted, full = self._fitted(worker)
        except TooLittleMemory:
            return False
        return worker.context_size < fitted and fitted >= min(self.tokens, full)

    def _fitted(self, worker: Worker) -> tuple[int, int]:
        """Return the tokens of context that a new worker would have, and those of the model.

        With the memory of `worker` and of those that are idle. Raises `TooLittleMemory`.
        """
        # Here: it reads the model's header, and few workers are replaced.
        from smolctl.runner.eviction import idle_memory
        from smolctl.runner.memory import usable_memory
        from smolctl.runner.runnable import Runnable

        usable = usable_memory() + idle_memory(self.folder, leaving=worker)
        runnable = Runnable.read(self.source)
        return runnable.fit(self.options, usable).context_size or 0, runnable.full_context or 0


def _replace(worker: Worker, difference: str, tell: Callable[[str], object]) -> None:
    """Have `worker` leave, once it has nothing to do: others' short answers are waited for."""
    end = time.monotonic() + _BUSY_SECONDS
    while not unload(worker, only_idle=True):
        if time.monotonic() > end:
            raise EngineBusy(
                f"{worker.name} is running with {difference}, and busy",
                hint="`--local` runs it beside that one; or try again later.",
            )
        time.sleep(_LOOK_SECONDS)
    tell(f"{worker.name} was loaded with {difference}; it is being loaded anew.")


def _keep_alive(asked: float | None, settings: Settings) -> float:
    for seconds in (asked, settings.keep_alive):
        if seconds is not None:
            return seconds
    return DEFAULT_KEEP_ALIVE
