"""`smolctl model logs`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.running import id_of
from smolctl.errors import ModelNotFound
from smolctl.runner.address import WorkerFolder
from smolctl.runner.worker_log import last_part, lines_after

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = (
    ("What the model that was used last had to say", "smolctl model logs"),
    ("Watch one", "smolctl model logs -f ai/smollm2"),
)

_LOOK_SECONDS = 0.2


def command(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A name, an ID or a path; else the last one.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")
    ] = False,
) -> None:
    """Show the log of a model's process: the one that runs, or the last one that did."""
    invocation = Invocation.of(ctx)
    log = _find(invocation, model)
    lines, size = last_part(log)
    for line in lines:
        invocation.output.line(line)
    invocation.output.flush()
    if follow:
        for line in _following(log, size):
            invocation.output.line(line)
            invocation.output.flush()


def _find(invocation: Invocation, model: str | None) -> Path:
    folder = WorkerFolder.of(invocation.settings)
    if model is None:
        logs = sorted(folder.logs.glob("*.log"), key=lambda log: log.stat().st_mtime)
        if not logs:
            raise ModelNotFound("no model has run yet")
        return logs[-1]
    model_id = id_of(invocation, model)
    log = None if model_id is None else folder.address(model_id).log
    if log is None or not log.exists():
        raise ModelNotFound(f"{model} has not run yet")
    return log


def _following(log: Path, size: int) -> Iterator[str]:
    """Yield lines as they come."""
    while True:
        lines, size = lines_after(log, size)
        yield from lines
        time.sleep(_LOOK_SECONDS)
