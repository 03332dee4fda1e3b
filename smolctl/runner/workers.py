"""The workers of a cache: which there are, and having them leave."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from smolctl.errors import NotRunnable
from smolctl.runner.address import WorkerFolder
from smolctl.runner.connection import ConnectionLost, Endpoint
from smolctl.runner.specification import DEFAULT_SEQUENCES
from smolctl.runner.worker_status import Worker
from smolctl.store.storage import is_locked

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.engine.options import EngineOptions
    from smolctl.settings import Settings

_ANSWER_SECONDS = 5.0
_PATIENCE_SECONDS = 30.0
"""How long a worker may take to answer before the replies that it owes are given up."""

_LEAVING_SECONDS = 30.0


def worker_options(options: EngineOptions, *, parallel: bool) -> EngineOptions:
    """Return `options` as a worker has them; `parallel` says that they name its sequences.

    Sequences that nobody asked for share one KV cache: four caches of 8,192 tokens would take 1.3
    GB in place of 335 MB for SmolLM2-360M's geometry, and the time to clear them.
    """
    if parallel:
        return options
    return replace(options, sequences=DEFAULT_SEQUENCES, shared_cache=True)


def find_worker(socket: Path, seconds: float | None = None) -> Worker | None:
    """Return the worker that serves `socket`; None when nobody does.

    It has so many `seconds` to answer in, None for a few. Raises `NotRunnable` when somebody is
    there and does not answer.
    """
    timeout = _ANSWER_SECONDS if seconds is None else seconds
    for _ in range(2):
        try:
            with Endpoint(socket).request("GET", "/worker", timeout=timeout) as response:
                return Worker.parse(socket, response.json())
        except ConnectionLost as error:
            if isinstance(error.__cause__, TimeoutError):
                raise NotRunnable(
                    "the model's process does not answer",
                    hint="`smolctl model unload --all` ends it; its log may say why.",
                ) from error
            # It may have left just then: look once more.
    return None


def check_answers(socket: Path) -> None:
    """Raise `NotRunnable` where the worker at `socket` hangs: it answers nobody any more.

    One that is busy with a long prompt does answer, if not at once on a machine that swaps.
    """
    find_worker(socket, _PATIENCE_SECONDS)


def running_workers(settings: Settings) -> list[Worker]:
    """Return the workers of this user and cache that answer, the one used last first."""
    return survey(WorkerFolder.of(settings))[0]


def survey(folder: WorkerFolder) -> tuple[list[Worker], list[Path]]:
    """Return the workers of `folder`, last used first, and the sockets where nobody answers.

    Also those that another environment of this user started: one of another `XDG_RUNTIME_DIR`.
    """
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
    name = folder.address(model_id).socket.name
    for socket in folder.sockets():
        worker = find_worker(socket) if socket.name == name else None
        if worker is not None:
            unload(worker, only_idle=True)
