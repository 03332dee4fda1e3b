"""`smolctl logs off`."""

from __future__ import annotations

import typer

from smolctl.cli.invocation import Invocation
from smolctl.history.location import HistoryFiles

EXAMPLES = (("Keep no more prompts", "smolctl logs off"),)


def command(ctx: typer.Context) -> None:
    """Keep no prompts and replies from now on, also of a chat that is open; what is kept stays."""
    invocation = Invocation.of(ctx)
    files = HistoryFiles(invocation.settings.state)
    files.turn_log_off()
    kept = ""
    if files.database.exists():
        kept = " What was kept stays; `smolctl logs rm` deletes it."
    invocation.output.notice(f"The log is off.{kept}")
