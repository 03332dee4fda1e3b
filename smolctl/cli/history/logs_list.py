"""`smolctl logs list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.history.model_names import names_of
from smolctl.cli.history.transcript import entry_json, print_entries
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.errors import ModelNotFound, UsageError
from smolctl.history.location import HistoryFiles

if TYPE_CHECKING:
    import sqlite3

EXAMPLES = (
    ("The last three prompts and replies, the last one last", "smolctl logs list"),
    ("All that say something of Paris and of trains", "smolctl logs list -n 0 -q 'paris train'"),
    ("The last reply alone", "smolctl logs list -r | wc -w"),
    ("For a script", "smolctl logs list -n 0 --json | jq '.[].usage.completion_tokens'"),
)

_COUNT = 3


def command(
    ctx: typer.Context,
    count: Annotated[
        int | None,
        typer.Option(
            "--count", "-n", min=0, help="How many; 3 unless of one conversation, 0 for all."
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query", "-q", metavar="WORDS", help="Only with all of these in prompt or reply."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Only of this model.",
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="NAME",
            help="Only of this conversation, by name or number.",
        ),
    ] = None,
    continue_: Annotated[
        bool, typer.Option("--continue", "-c", help="Only of the last conversation.")
    ] = False,
    response: Annotated[
        bool, typer.Option("--response", "-r", help="Print the last reply alone, as it came.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the last prompts and replies in the log, the last one last.

    Words may be parts of words, in any case.
    """
    from smolctl.history.database import reading
    from smolctl.history.log import Filter, entries

    if response and as_json:
        raise UsageError("--response and --json contradict each other")
    if continue_ and session is not None:
        raise UsageError("--session and --continue contradict each other")
    invocation = Invocation.of(ctx)
    output = invocation.output
    if count is None:
        count = 0 if continue_ or session is not None else _COUNT
    wanted = None if model is None else names_of(invocation.store, model)
    files = HistoryFiles(invocation.settings.state)
    with reading(files) as connection:
        conversation = None
        if continue_ or session is not None:
            conversation = _conversation(connection, session)
        limit = 1 if response else count or None
        found = entries(connection, Filter(limit, (query or "").split(), wanted, conversation))
    if response:
        if not found:
            raise ModelNotFound(
                "no such reply is in the log", hint="`smolctl logs status` shows what is."
            )
        reply = found[-1].exchange.reply
        output.piece(reply if reply.endswith("\n") else f"{reply}\n")
    elif as_json:
        output.json([entry_json(entry) for entry in found])
    else:
        print_entries(output, found)
        if not found:
            words = (query or "").split()
            output.notice(_why_nothing(files, words))


def _why_nothing(files: HistoryFiles, words: list[str]) -> str:
    """Say why no entry was found."""
    if not files.log_is_on:
        return "Nothing, and the log is off: `smolctl logs on` keeps prompts and replies."
    nothing = f"No entry has {' and '.join(words)} in it" if words else "There is no such entry"
    return f"{nothing}; `smolctl logs status` shows what there is."


def _conversation(connection: sqlite3.Connection, session: str | None) -> int:
    """Return the number of the session, or of the last conversation."""
    from smolctl.history.conversations import get, latest

    if session is not None:
        return get(connection, session).id
    last = latest(connection)
    if last is None:
        raise ModelNotFound("no conversation was kept")
    return last.id
