"""`smolctl model sessions rm`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.history.deletion import YesFlag, confirmed
from smolctl.cli.invocation import Invocation
from smolctl.errors import UsageError
from smolctl.history.location import HistoryFiles

EXAMPLES = (
    ("Delete a conversation", "smolctl model sessions rm trip"),
    ("Delete all, in a script", "smolctl model sessions rm --all --yes"),
)


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Names, or numbers of conversations without one.",
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Delete all conversations.")] = False,
    yes: YesFlag = False,
) -> None:
    """Delete conversations, for good. What the log has of them stays in the log.

    `smolctl logs rm` deletes that.
    """
    from smolctl.history.conversations import get, remove, summaries
    from smolctl.history.database import erasing, reading

    invocation = Invocation.of(ctx)
    files, output = HistoryFiles(invocation.settings.state), invocation.output
    if all_ == bool(names):
        raise UsageError(
            "name the conversations to delete, or say --all",
            hint="`smolctl model sessions ls` lists them.",
        )
    what = "all conversations" if all_ else f"what was said in {', '.join(names or [])}"
    if not confirmed(output, what, yes=yes, named=not all_):
        return

    with reading(files) as connection:
        if all_:
            found, failure = [(each.id, each.label) for each in summaries(connection)], None
        else:

            def find(name: str) -> tuple[int, str]:
                conversation = get(connection, name)
                return conversation.id, name

            found, failure = invocation.each([*dict.fromkeys(names or [])], find)
    with erasing(files) as connection:
        remove(connection, [id_ for id_, _ in found])
    for _, label in found:
        output.line(f"Deleted: {label}")
    if failure is not None:
        raise failure
