"""Which running worker a command's MODEL means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolctl.cli.options import PullPolicy
from smolctl.cli.source import find_source
from smolctl.errors import ModelNotFound, SmolctlError
from smolctl.model.reference import ModelId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.invocation import Invocation
    from smolctl.runner.worker_status import Worker


def running(invocation: Invocation, workers: Sequence[Worker], model: str) -> Worker | None:
    """Return the worker of `model`, by a name, an ID or a path; None when there is none.

    A model that was removed meanwhile is found as well, by the names that it had.
    """
    model_id = ModelId.parse(model)
    for worker in workers:
        if model in (worker.name, *worker.names):
            return worker
        if model_id is not None and worker.id.rpartition(":")[2].startswith(model_id.hex):
            return worker
    wanted = id_of(invocation, model)
    return next((worker for worker in workers if worker.id == wanted), None)


def id_of(invocation: Invocation, model: str) -> str | None:
    """Return the ID of `model`; None when it is not here. Raises `UsageError` for no name."""
    try:
        return find_source(invocation, model, PullPolicy.never).id
    except ModelNotFound:
        return None
    except SmolctlError as error:
        if error.exit_code == 2:
            raise
        found = invocation.store.find(model)  # it cannot be run any more, but may be running
        return None if found is None else str(found.id)
