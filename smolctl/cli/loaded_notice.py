"""What `run --detach` says in the end: that the model is loaded, and how long it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.cli.invocation import Invocation


def tell_loaded(invocation: Invocation, name: str) -> None:
    """Say on stderr that the model called `name` is loaded, and for how long."""
    from smolctl.cli.ps import lasting
    from smolctl.cli.running import running
    from smolctl.runner.address import WorkerFolder
    from smolctl.runner.workers import survey

    stays = ""
    if invocation.settings.host is None:
        workers, _ = survey(WorkerFolder.of(invocation.settings))
        worker = running(invocation, workers, name)
        if worker is not None and worker.keep_alive < 0:
            stays = f"; it stays until `smolctl model unload {name}`"
        elif worker is not None:
            stays = f"; it stays for {lasting(worker.keep_alive)} after its last use"
    invocation.output.notice(f"Loaded {name}{stays}.")
