"""`smolctl logs path`."""

from __future__ import annotations

import typer

from smolctl.cli.invocation import Invocation
from smolctl.history.location import HistoryFiles

EXAMPLES = (
    ("Where it is", "smolctl logs path"),
    ("Ask it in SQL", 'sqlite3 "$(smolctl logs path)" "select count(*) from exchange"'),
)


def command(ctx: typer.Context) -> None:
    """Print the path of the log, an SQLite file; it is there once something was kept."""
    invocation = Invocation.of(ctx)
    invocation.output.path(HistoryFiles(invocation.settings.state).database)
