"""`smolctl logs status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.history.location import HistoryFiles
from smolctl.model.units import format_size, format_time

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = (
    ("Whether it is on, and what is in it", "smolctl logs status"),
    ("For a script", "smolctl logs status --json | jq .on"),
)


def command(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Show whether the log is on, where it is, how much is in it and from when."""
    from smolctl.history.conversations import summaries
    from smolctl.history.database import reading
    from smolctl.history.log import totals

    invocation = Invocation.of(ctx)
    files, output = HistoryFiles(invocation.settings.state), invocation.output
    with reading(files) as connection:
        count, first = totals(connection)
        conversations = len(summaries(connection))
    size = _size(files.database)
    since = None if first is None else format_time(first)
    if as_json:
        output.json(
            {
                "on": files.log_is_on,
                "path": str(files.database),
                "entries": count,
                "conversations": conversations,
                "size": size,
                "since": since,
            }
        )
        return
    rows = (
        ("Log", "on" if files.log_is_on else "off"),
        ("Path", files.database),
        ("Entries", f"{count}" if since is None else f"{count} since {since}"),
        ("Conversations", conversations),
        ("Size", format_size(size)),
    )
    for name, value in rows:
        output.line(f"{name + ':':<15}{value}")


def _size(database: Path) -> int:
    """Return the bytes of the database, with those that are not in its main file yet."""
    parts = [database, database.with_name(f"{database.name}-wal")]
    return sum(part.stat().st_size for part in parts if part.exists())
