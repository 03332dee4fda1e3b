"""Which worker answers: a name is looked up in the cache, and its worker found or started."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from smolctl.notes import state_of
from smolctl.runner.gateway.threads import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.runner.gateway.models import Models
    from smolctl.runner.gateway.workers import Workers
    from smolctl.store.store import StoredModel


_MAXIMUM_NAMES = 1024
"""A model has many spellings, and clients choose them."""


@dataclass(frozen=True)
class Route:
    """The worker that answers for a model: the model's ID, and the worker's socket."""

    model_id: str
    socket: Path


class Router:
    """Finds routes to the `models`, whose `workers` are started if need be.

    That may take long, and is done in threads: one for each model at a time, however many
    requests wait for it. A worker that was found is asked again without looking, until it fails.
    """

    def __init__(self, models: Models, workers: Workers) -> None:
        self._models = models
        self._workers = workers
        self._named: dict[str, StoredModel] = {}
        self._index: str | None = None
        self._known: dict[str, Route] = {}
        self._coming: dict[str, asyncio.Task[Route]] = {}

    async def find(self, name: str) -> Route:
        """Return the route to the model `name`.

        Raises `ModelNotFound` when it is not in the cache, `InvalidReference`, and whatever keeps
        its worker from starting.
        """
        model = await self._model(name)
        model_id = str(model.id)
        known = self._known.get(model_id)
        if known is not None:
            return known
        coming = self._coming.get(model_id)
        if coming is None:
            coming = asyncio.create_task(self._start(model, name))
            self._coming[model_id] = coming
            coming.add_done_callback(partial(self._came, model_id))
        # One that hangs up does not take the worker away from the others that wait.
        return await asyncio.shield(coming)

    async def make_room(self, name: str, tokens: int) -> bool:
        """Whether the worker of the model `name` has room for a prompt of `tokens` now.

        It did not when it was asked. Raises as `find`.
        """
        model = await self._model(name)
        return await in_thread(partial(self._workers.make_room, model, name, tokens))

    def failed(self, route: Route) -> None:
        """Forget `route`, whose worker does not answer."""
        if self._known.get(route.model_id) == route:
            del self._known[route.model_id]

    async def _model(self, name: str) -> StoredModel:
        """Return the model `name`; the cache's index is read again when it has changed."""
        index = state_of(str(self._models.store.index_path))
        if index != self._index or len(self._named) > _MAXIMUM_NAMES:
            self._named.clear()
            self._index = index
        model = self._named.get(name)
        if model is None:
            model = await in_thread(partial(self._models.get, name))
            if index == self._index:
                self._named[name] = model
        return model

    async def _start(self, model: StoredModel, name: str) -> Route:
        socket = await in_thread(partial(self._workers.obtain, model, name))
        return Route(str(model.id), socket)

    def _came(self, model_id: str, task: asyncio.Task[Route]) -> None:
        del self._coming[model_id]
        if not task.cancelled() and task.exception() is None:
            self._known[model_id] = task.result()
