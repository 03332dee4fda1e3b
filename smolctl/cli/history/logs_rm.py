"""`smolctl logs rm`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.age import age_seconds
from smolctl.cli.history.deletion import YesFlag, confirmed
from smolctl.cli.invocation import Invocation
from smolctl.errors import UsageError
from smolctl.history.location import HistoryFiles

if TYPE_CHECKING:
    import sqlite3

    from smolctl.history.log import Deleted

EXAMPLES = (
    ("Delete everything", "smolctl logs rm"),
    ("Delete what is old, in a script", "smolctl logs rm --older-than 30d --yes"),
    ("Delete one entry", "smolctl logs rm 12"),
)


def command(
    ctx: typer.Context,
    entries: Annotated[
        list[int] | None,
        typer.Argument(metavar="[ENTRY]...", help="The numbers of entries; else all of them."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Only what is older: 30d, 12h, 2w."),
    ] = None,
    yes: YesFlag = False,
) -> None:
    """Delete prompts and replies from the log, for good.

    Conversations without a name go with the entries they are made of. Sessions, which have a name,
    stay: `smolctl model sessions rm` deletes them.
    """
    from smolctl.history.database import erasing

    invocation = Invocation.of(ctx)
    output, numbers = invocation.output, entries or []
    before = None if older_than is None else _before(older_than)
    if before is not None and numbers:
        raise UsageError("--older-than and numbers of entries contradict each other")
    what = "the prompts and replies in the log"
    if numbers:
        what = f"{'entries' if numbers[1:] else 'entry'} {', '.join(map(str, numbers))} of the log"
    elif older_than is not None:
        what += f" that are older than {older_than}"
    if not confirmed(output, what, yes=yes, named=bool(numbers)):
        return
    with erasing(HistoryFiles(invocation.settings.state)) as connection:
        deleted = _delete(connection, numbers, before)
    count = sum(each.entries for each in deleted)
    output.line(f"Deleted: {count} {'entry' if count == 1 else 'entries'}")
    sessions = sorted({session for each in deleted for session in each.sessions})
    if sessions:
        output.notice(
            f"What was said in {', '.join(sessions)} is in the log no more, but stays in the"
            " session; `smolctl model sessions rm` deletes that."
        )


def _delete(
    connection: sqlite3.Connection, numbers: list[int], before: datetime | None
) -> list[Deleted]:
    from smolctl.history import log

    if numbers:
        return [log.delete_entry(connection, number) for number in dict.fromkeys(numbers)]
    if before is not None:
        return [log.delete_before(connection, before)]
    return [log.delete_all(connection)]


def _before(age: str) -> datetime:
    """Return when what is now of that age was made."""
    now = datetime.now(timezone.utc)
    seconds = age_seconds(age)
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:  # before the calendar begins
        raise UsageError(f"--older-than is {age!r}", hint="It is an age: 30d, 12h, 2w.") from None
