"""`smolctl model unload`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.cache_words import plural
from smolctl.cli.invocation import Invocation
from smolctl.cli.running import id_of, running
from smolctl.errors import ModelNotFound, NotRunnable, UsageError
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
    output = invocation.output
    if every:
        for worker in workers:
            unload(worker)
        count = len(workers) + sum(end(socket) for socket in stuck)
        output.line(f"Unloaded {plural(count, 'model')}." if count else "No models are running.")
        return
    ended: set[str] = set()

    def leave(name: str) -> int:
        worker = running(invocation, workers, name)
        model_id = id_of(invocation, name) if worker is None else worker.id
        if model_id in ended:
            return 0
        if model_id is None:
            raise ModelNotFound(
                f"{name} is neither loaded nor here",
                hint="`smolctl model ps` lists the models that are loaded.",
            )
        start = folder.address(model_id).socket.stem
        if any(socket.stem == start for socket in stuck):
            raise NotRunnable(
                f"the process of {name} does not answer",
                hint="`smolctl model unload --all` ends it by force.",
            )
        for each in (each for each in workers if each.id == model_id):
            unload(each)
        if worker is None:
            output.notice(f"{name} is not loaded.")
            return 0
        ended.add(model_id)
        return 1

    counts, failure = invocation.each(names, leave)
    if sum(counts):
        output.line(f"Unloaded {plural(sum(counts), 'model')}.")
    if failure is not None:
        raise failure
