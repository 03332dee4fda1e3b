"""`smolctl model ps`."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag, QuietFlag
from smolctl.errors import SmolctlError
from smolctl.model.units import format_size, format_time
from smolctl.runner.address import WorkerFolder
from smolctl.runner.workers import loading_models, survey

if TYPE_CHECKING:
    from smolctl.runner.worker_status import Worker

EXAMPLES = (
    ("The models that are loaded", "smolctl model ps"),
    ("For a script", "smolctl model ps --json | jq -r '.[].name'"),
)

HEADERS = ("MODEL NAME", "BACKEND", "MODE", "UNTIL", "CONTEXT", "MEMORY")
"""The columns of `docker model ps`, and two more."""

BACKEND = "llama.cpp"
_SHORT = 12


def command(ctx: typer.Context, as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """List the models that are loaded, and until when."""
    invocation = Invocation.of(ctx)
    output = invocation.output
    workers, stuck = survey(WorkerFolder.of(invocation.settings))
    if as_json:
        output.json([worker_json(worker) for worker in workers])
        return
    if quiet:
        for worker in workers:
            output.line(short_id(worker.id))
        return
    answering = {worker.socket.stem for worker in workers}
    loading = [name for name in loading_models(invocation.settings) if name not in answering]
    rows = [_row(worker) for worker in workers]
    silent = [socket.stem for socket in stuck]
    rows += [
        (name_of(invocation, start), BACKEND, "-", until, "-", "-")
        for starts, until in ((loading, "Loading..."), (silent, "Not answering"))
        for start in starts
    ]
    output.table(HEADERS, rows, dispensable=("BACKEND", "MODE", "CONTEXT"), last=("MEMORY",))


def shown_name(worker: Worker) -> str:
    """Return the name to show for a worker's model: its tag `latest`, another, or as asked for."""
    return min(worker.names, key=lambda name: not name.endswith(":latest"), default=worker.name)


def short_id(model_id: str) -> str:
    """Return the first digits of an ID, as everywhere."""
    return model_id.rpartition(":")[2][:_SHORT]


def worker_json(worker: Worker) -> dict[str, Any]:
    """Return a worker as JSON, times in RFC 3339; the keep-alive in seconds, -1 for ever."""
    value = worker.as_json()
    for name in ("loaded_at", "last_used", "expires_at"):
        if value[name] is not None:
            value[name] = format_time(datetime.fromtimestamp(value[name], timezone.utc))
    return {**value, "backend": BACKEND}


def until(worker: Worker, now: float) -> str:
    """Return until when the worker stays, in Docker Model Runner's words."""
    if worker.busy:
        return "In use"
    if worker.expires_at is None:
        return "Forever"
    seconds = worker.expires_at - now
    if seconds <= 0:
        return "Expiring"
    return f"{lasting(seconds)} from now"


def lasting(seconds: float) -> str:
    """Return `seconds` in the largest unit that fits, at least one: `5 minutes`."""
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        count = round(seconds / size)
        if seconds >= size or size == 1:
            return f"{max(count, 1)} {unit}{'s' if count > 1 else ''}"
    raise AssertionError


def _row(worker: Worker) -> tuple[str, ...]:
    context = str(worker.context_size)
    if worker.sequences > 1 and not worker.shared_cache:
        context = f"{worker.sequences} x {context}"
    return (
        shown_name(worker),
        BACKEND,
        worker.mode,
        until(worker, time.time()),
        context,
        format_size(worker.memory),
    )


def name_of(invocation: Invocation, start: str) -> str:
    """Return the name of the model whose ID begins so; the beginning where it has none here."""
    try:
        found = invocation.store.find(start)
    except SmolctlError:
        return start
    if found is None or not found.tags:
        return start
    return invocation.store.familiar(found.tags[0])
