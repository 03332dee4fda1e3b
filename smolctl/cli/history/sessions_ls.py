"""`smolctl model sessions ls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.cli.output import brief
from smolctl.history.location import HistoryFiles
from smolctl.model.units import format_age, format_time

if TYPE_CHECKING:
    from smolctl.history.conversations import Summary

EXAMPLES = (
    ("The conversations, the last one first", "smolctl model sessions ls"),
    ("For a script", "smolctl model sessions ls --json | jq -r '.[].name'"),
)
HEADERS = ("NAME", "MODEL", "TURNS", "UPDATED", "FIRST PROMPT")


def command(
    ctx: typer.Context,
    as_json: JsonFlag = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only names and numbers.")
    ] = False,
    all_: Annotated[
        bool, typer.Option("--all", "-a", help="Also what the log keeps of one prompt alone.")
    ] = False,
) -> None:
    """List the conversations that `run` can go on with, the one that changed last first.

    Those without a name are listed by their numbers, which do as names: `run --session 12`. Of
    these, one with a single prompt is listed by --all only: while the log is on, each is kept.
    """
    from smolctl.history.conversations import summaries
    from smolctl.history.database import reading

    invocation = Invocation.of(ctx)
    output = invocation.output
    with reading(HistoryFiles(invocation.settings.state)) as connection:
        kept = summaries(connection)
    found = [each for each in kept if all_ or not each.is_one_shot]
    if as_json:
        output.json([_as_json(each) for each in found])
    elif quiet:
        for each in found:
            output.line(each.label)
    else:
        rows = [_row(each) for each in found]
        output.table(HEADERS, rows, dispensable=("TURNS",), last=("MODEL", "UPDATED"))
        if not output.stdout_is_terminal:
            return
        if len(kept) > len(found):
            output.notice(f"{len(kept) - len(found)} of a single prompt more; --all lists them.")
        elif not found:
            output.notice("None yet. `smolctl model run MODEL --session NAME` keeps one.")


def _row(each: Summary) -> tuple[str, ...]:
    turns, age = str(each.turns), format_age(each.updated)
    return (each.label, each.model, turns, age, brief(each.opening))


def _as_json(each: Summary) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "model": each.model,
        "turns": each.turns,
        "created": format_time(each.created),
        "updated": format_time(each.updated),
    }
