"""`smolctl model unload`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.running import id_of, running
from smolctl.errors import NotRunnable, UsageError
from smolctl.runner.address import WorkerFolder
from smolctl.runner.workers import end, survey, unload

EXAMPLES = (
    ("Have a model leave the memory", "smolctl model unload ai/smollm2"),
    ("All of them", "smolctl model unload --all"),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names or IDs of models."),
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
    folder = WorkerFolder.of(invocation.settings)
    workers, stuck = survey(folder)
    if not every:
        found = {name: running(invocation, workers, name) for name in names}
        for name in (name for name, worker in found.items() if worker is None and stuck):
            model_id = id_of(invocation, name)
            if model_id is not None and folder.address(model_id).socket in stuck:
                raise NotRunnable(
                    f"the process of {name} does not answer",
                    hint="`smolctl model unload --all` ends it by force.",
                )
        workers = list({each.id: each for each in found.values() if each is not None}.values())
        stuck = []
    for worker in workers:
        unload(worker)
    count = len(workers) + sum(end(socket) for socket in stuck)
    none = "No models are running." if every else "No such model(s) running."
    invocation.output.line(f"Unloaded {count} model(s)." if count else none)
