"""Asking before something is deleted for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.errors import UsageError

if TYPE_CHECKING:
    from smolctl.cli.output import Output

YesFlag = Annotated[
    bool, typer.Option("--yes", "-y", help="Delete without a question, also in a script.")
]


def confirmed(output: Output, what: str, *, yes: bool, named: bool) -> bool:
    """Whether `what` is to be deleted: `yes`, or a person says so on the terminal.

    Where nobody can be asked, what was `named` piece by piece is; for the rest it raises
    `UsageError`.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        if named:
            return True
        raise UsageError(
            f"this deletes {what}, and nobody can be asked here",
            hint="--yes deletes without a question.",
        )
    output.flush()
    output.aside(f"Delete {what} for good? [y/N] ")
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    output.notice("Nothing was deleted.")
    return False
