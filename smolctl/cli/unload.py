"""`smolctl model unload`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import local_models
from smolctl.cli.running import running
from smolctl.errors import UsageError
from smolctl.runner.workers import end_stuck_workers, running_workers, unload

if TYPE_CHECKING:
    from smolctl.runner.worker_status import Worker

EXAMPLES = (
    ("Have a model leave the memory", "smolctl model unload ai/smollm2"),
    ("All of them", "smolctl model unload --all"),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Names or IDs of models.", autocompletion=local_models
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All models that are loaded.")] = False,
) -> None:
    """Have models leave the memory; answers under way get ten seconds to end.

    With `--all`, what does not answer any more is ended by force.
    """
    invocation = Invocation.of(ctx)
    names = models or []
    if every == bool(names):
        raise UsageError("unload needs the names of models, or --all")
    workers = running_workers(invocation.settings)
    if every:
        stuck = end_stuck_workers(invocation.settings)
        _unload(invocation, workers, stuck, "No models are running.")
        return
    found = [running(invocation, workers, name) for name in names]
    chosen = {worker.id: worker for worker in found if worker is not None}
    _unload(invocation, list(chosen.values()), 0, "No such model(s) running.")


def _unload(invocation: Invocation, workers: list[Worker], others: int, none: str) -> None:
    for worker in workers:
        unload(worker)
    count = len(workers) + others
    invocation.output.line(f"Unloaded {count} model(s)." if count else none)
