"""`smolctl logs on`."""

from __future__ import annotations

import typer

from smolctl.cli.invocation import Invocation
from smolctl.history.location import HistoryFiles

EXAMPLES = (("Keep prompts and replies", "smolctl logs on"),)


def command(ctx: typer.Context) -> None:
    """Keep each prompt and reply of `run` from now on, on this machine, for you alone.

    Conversations are kept as well, so that `run --continue` goes on with the last one.
    """
    invocation = Invocation.of(ctx)
    files = HistoryFiles(invocation.settings.state)
    files.turn_log_on()
    invocation.output.notice(
        f"The log is on: prompts and replies are kept in {files.database}.\n"
        "`smolctl logs off` turns it off, `smolctl logs rm` deletes what was kept."
    )
