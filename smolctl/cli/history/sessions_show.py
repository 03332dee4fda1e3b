"""`smolctl model sessions show`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.history.transcript import conversation_json, print_conversation
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.history.location import HistoryFiles

EXAMPLES = (
    ("What was said", "smolctl model sessions show trip"),
    ("For a script", "smolctl model sessions show trip --json | jq .messages"),
)


def command(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name, or the number of a conversation without one.",
        ),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Show what was said in a conversation."""
    from smolctl.history.conversations import get
    from smolctl.history.database import reading

    invocation = Invocation.of(ctx)
    with reading(HistoryFiles(invocation.settings.state)) as connection:
        conversation = get(connection, name)
    if as_json:
        invocation.output.json(conversation_json(conversation))
    else:
        print_conversation(invocation.output, conversation)
