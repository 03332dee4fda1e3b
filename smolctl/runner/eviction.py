"""Making room: idle workers leave, the least recently used first, until a model fits in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.errors import NotRunnable, TooLittleMemory
from smolctl.runner.memory import usable_memory
from smolctl.runner.workers import survey, unload

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.engine.options import EngineOptions
    from smolctl.runner.address import WorkerFolder
    from smolctl.runner.runnable import Runnable
    from smolctl.runner.worker_status import Worker

_WORTH_A_PLACE = 8192
"""Tokens; a context that is left open is worth another model's place up to this size."""


def fit_with_room(
    runnable: Runnable,
    options: EngineOptions,
    make_room: Callable[[], bool],
    reclaimable: Callable[[], int],
    wanted_context: int = 0,
) -> EngineOptions:
    """Return what `Runnable.fit` does, after `make_room` was called for as long as that helps.

    `make_room` returns False when there is no more to be had, and `reclaimable` the bytes that it
    can make at most. A context that is left open is to hold `wanted_context` tokens. Raises
    `TooLittleMemory` when the model does not fit then; before anything is given up, if that much
    would not do.
    """
    enough = min(runnable.full_context or 0, max(_WORTH_A_PLACE, wanted_context))
    asked = False
    while True:
        try:
            fitted = runnable.fit(options)
        except TooLittleMemory:
            if not asked:
                runnable.fit(options, usable_memory() + reclaimable())
                asked = True
            if not make_room():
                raise
            continue
        is_enough = options.context_size is not None or (fitted.context_size or enough) >= enough
        if is_enough or not make_room():
            return fitted


def idle_memory(folder: WorkerFolder, leaving: Worker | None = None) -> int:
    """Return the bytes that the idle workers of `folder` have, and the one that is `leaving`."""
    going = None if leaving is None else leaving.id
    return sum(each.memory for each in survey(folder)[0] if not each.busy or each.id == going)


def evict_one(folder: WorkerFolder, tell: Callable[[str], object]) -> bool:
    """Have the least recently used idle worker of `folder` leave; `tell` is told who it is.

    Those that are busy stay. Returns False when no worker left.
    """
    for worker in reversed(survey(folder)[0]):
        if worker.busy:
            continue
        try:
            if unload(worker, only_idle=True):
                tell(f"{worker.name} left, to make room in memory")
                return True
        except NotRunnable:
            continue  # it does not end; the next one may
    return False
