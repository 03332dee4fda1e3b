"""Finding the workers of a cache, starting them, and having them leave."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from smolctl.engine.options import EngineOptions
from smolctl.errors import EngineBusy, NotRunnable
from smolctl.runner.address import WorkerFolder
from smolctl.runner.connection import ConnectionLost, Endpoint
from smolctl.runner.specification import (
    DEFAULT_KEEP_ALIVE,
    DEFAULT_SEQUENCES,
    WorkerSpecification,
)
from smolctl.runner.start import start_worker
from smolctl.runner.worker_status import Worker, expected
from smolctl.store.storage import is_locked, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from smolctl.runner.source import ModelSource
    from smolctl.settings import Settings

_ANSWER_SECONDS = 5.0
_LEAVING_SECONDS = 30.0
_BUSY_SECONDS = 10.0
_LOOK_SECONDS = 0.05


def obtain_worker(
    source: ModelSource,
    options: EngineOptions | None = None,
    *,
    named: Collection[str] | None = None,
    settings: Settings,
    keep_alive: float | None = None,
    tell: Callable[[str], object] = lambda _: None,
    on_long: Callable[[], object] | None = None,
    debug: bool = False,
) -> Worker:
    """Return the worker that has `source` loaded; one is started where there is none.

    Two callers at once get one worker. The options called `named` (None: those that differ from
    the defaults) must be those of the worker: one that is idle is replaced, after `tell` was told,
    and so is one of another version of smolctl; `EngineBusy` when it has something to do.
    `keep_alive` is for a new one, in seconds, negative for ever; None for what the settings say.
    `on_long` is called when loading takes long. Raises what the worker could not start for.
    """
    folder = WorkerFolder.of(settings)
    folder.make()
    address = folder.address(source.id)
    options = options or EngineOptions()
    expectation = expected(options, named)
    worker = find_worker(address.socket)
    if worker is not None and expectation.difference(worker.version, worker.options) is None:
        return worker
    # Whoever starts one holds the lock until it serves.
    with locked(address.lock) as lock:
        worker = find_worker(address.socket)
        if worker is not None:
            difference = expectation.difference(worker.version, worker.options)
            if difference is None:
                return worker
            wanted = worker_options(options, parallel="sequences" in expectation.options)
            _check_memory(source, wanted, worker, folder)
            _replace(worker, difference, tell)
        address.socket.unlink(missing_ok=True)
        specification = WorkerSpecification(
            source,
            worker_options(options, parallel="sequences" in expectation.options),
            folder,
            keep_alive=_keep_alive(keep_alive, settings),
            debug=debug,
        )
        return start_worker(specification, lock, on_long=on_long)


def worker_options(options: EngineOptions, *, parallel: bool) -> EngineOptions:
    """Return `options` as a worker has them; `parallel` says that they name its sequences.

    Sequences that nobody asked for share one KV cache: four caches of 8,192 tokens would take 1.3
    GB in place of 335 MB for SmolLM2-360M's geometry, and the time to clear them.
    """
    if parallel:
        return options
    return replace(options, sequences=DEFAULT_SEQUENCES, shared_cache=True)


def find_worker(socket: Path) -> Worker | None:
    """Return the worker that serves `socket`; None when nobody does.

    Raises `NotRunnable` when somebody is there and does not answer.
    """
    for _ in range(2):
        try:
            with Endpoint(socket).request("GET", "/worker", timeout=_ANSWER_SECONDS) as response:
                return Worker.parse(socket, response.json())
        except ConnectionLost as error:
            if isinstance(error.__cause__, TimeoutError):
                raise NotRunnable(
                    "the model's process does not answer",
                    hint="`smolctl model unload --all` ends it; its log may say why.",
                ) from error
            # It may have left just then: look once more.
    return None


def running_workers(settings: Settings) -> list[Worker]:
    """Return the workers of this user and cache that answer, the one used last first."""
    return survey(WorkerFolder.of(settings))[0]


def survey(folder: WorkerFolder) -> tuple[list[Worker], list[Path]]:
    """Return the workers of `folder`, last used first, and the sockets where nobody answers."""
    folder.check()
    workers, stuck = [], []
    for socket in folder.sockets():
        try:
            worker = find_worker(socket)
        except NotRunnable:
            stuck.append(socket)
        else:
            workers += [worker] if worker is not None else []
    return sorted(workers, key=lambda worker: worker.last_used, reverse=True), stuck


def loading_models(settings: Settings) -> list[str]:
    """Return the beginnings of the IDs of models whose workers are being started."""
    folder = WorkerFolder.of(settings)
    folder.check()
    return [lock.stem for lock in folder.locks() if is_locked(lock)]


def end(socket: Path) -> bool:
    """Kill the worker behind `socket`, which does not answer; False where that cannot be done."""
    pid = Endpoint(socket).peer()
    if not pid:  # 0 is a process of another PID namespace; to kill(2) it is our own group
        return False
    with suppress(ProcessLookupError):  # it has ended by itself
        os.kill(pid, signal.SIGKILL)
    return True


def unload(worker: Worker, *, only_idle: bool = False) -> bool:
    """Have `worker` leave, and wait until it has; requests under way get a while to end.

    With `only_idle`, return False when it has something to do. Raises `NotRunnable` when it stays.
    """
    path = "/worker/unload?idle" if only_idle else "/worker/unload"
    try:
        with worker.endpoint.request("POST", path, timeout=_ANSWER_SECONDS) as response:
            if response.status == 409:
                return False
            if response.status != 200 or not response.wait_for_end(_LEAVING_SECONDS):
                raise NotRunnable(
                    f"the process of {worker.name} does not end",
                    hint=f"`kill -9 {worker.pid}` ends it.",
                )
    except ConnectionLost:
        pass  # it was leaving already
    return True


def unload_if_idle(settings: Settings, model_id: str) -> None:
    """Have the worker of the model with that ID leave, if there is one and it has nothing to do."""
    folder = WorkerFolder.of(settings)
    folder.check()
    address = folder.address(model_id)
    worker = find_worker(address.socket) if address.socket.exists() else None
    if worker is not None:
        unload(worker, only_idle=True)


def _check_memory(
    source: ModelSource, options: EngineOptions, worker: Worker, folder: WorkerFolder
) -> None:
    """Raise `TooLittleMemory` where not even `worker` and the idle ones make room enough.

    Before one that works is given up for one that cannot be.
    """
    # Here: it reads the model's header, and few workers are replaced.
    from smolctl.runner.memory import usable_memory
    from smolctl.runner.runnable import Runnable

    idle = sum(each.memory for each in survey(folder)[0] if not each.busy or each.id == worker.id)
    Runnable.read(source).fit(options, usable_memory() + idle)


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
