"""The workers that the gateway has answer its requests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from smolctl.runner.address import WorkerFolder
from smolctl.runner.expectation import expected, worker_headers
from smolctl.runner.obtain import obtain_worker
from smolctl.runner.source import model_source
from smolctl.runner.workers import end, running_workers, survey, unload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from smolctl.engine.options import EngineOptions
    from smolctl.runner.worker_status import Worker
    from smolctl.settings import Settings
    from smolctl.store.store import Store, StoredModel


@dataclass(frozen=True)
class Workers:
    """Finds, starts and ends workers for the models of `store`. It all blocks: use it in threads.

    `options`, `named` and `keep_alive` are what `obtain_worker` takes; `tell` hears of starts that
    take long, and `debug` has llama.cpp's log in theirs.
    """

    store: Store
    settings: Settings
    options: EngineOptions
    named: frozenset[str]
    keep_alive: float | None
    tell: Callable[[str], object]
    debug: bool = False

    @cached_property
    def headers(self) -> dict[str, str]:
        """What a request tells its worker: what is expected of it, and how long to stay then."""
        stay = self.settings.keep_alive if self.keep_alive is None else self.keep_alive
        return worker_headers(expected(self.options, self.named), stay)

    def obtain(self, model: StoredModel, name: str) -> Path:
        """Return the socket of the worker of `model`, started if need be. Raises `SmolctlError`."""
        return self._obtain(model, name).socket

    def make_room(self, model: StoredModel, name: str, tokens: int) -> bool:
        """Whether the worker of `model` has a context for `tokens`, loaded anew where it helps.

        Raises `SmolctlError`.
        """
        return self._obtain(model, name, tokens).context_size >= tokens

    def _obtain(self, model: StoredModel, name: str, tokens: int = 0) -> Worker:
        return obtain_worker(
            model_source(self.store, model, name),
            self.options,
            named=self.named,
            tokens=tokens,
            settings=self.settings,
            keep_alive=self.keep_alive,
            tell=self.tell,
            debug=self.debug,
            on_long=lambda: self.tell(f"{name} is being loaded."),
        )

    def running(self) -> Sequence[Worker]:
        """Return the workers that run."""
        return running_workers(self.settings)

    def unload(self, model_ids: Sequence[str] | None) -> int:
        """Have the workers of these models end, or with None all; return how many there were.

        Of all, those that do not answer are ended by force. Raises `NotRunnable` when one stays.
        """
        workers, stuck = survey(WorkerFolder.of(self.settings))
        wanted = [worker for worker in workers if model_ids is None or worker.id in model_ids]
        for worker in wanted:
            unload(worker)
        ended = [end(socket) for socket in stuck] if model_ids is None else []
        return len(wanted) + sum(ended)
