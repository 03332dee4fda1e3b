"""`smolctl model rm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag, QuietFlag
from smolctl.errors import DiskFull, SmolctlError
from smolctl.model.units import format_size

if TYPE_CHECKING:
    from smolctl.store.store import Removal

EXAMPLES = (
    ("Remove a model", "smolctl model rm ai/smollm2"),
    ("Remove a model with all its names, by ID", "smolctl model rm --force 354bf30d0aa3"),
    ("Remove everything", "smolctl model ls -q | xargs smolctl model rm --force"),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Names or IDs of models."),
    ],
    force: Annotated[
        bool, typer.Option("--force", "-f", help="By ID: also when it has several names.")
    ] = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Remove names of models; a model goes with its last name.

    Files that another model uses as well stay. An ID, or a name with a digest, means the model
    with all its names.
    """
    invocation = Invocation.of(ctx)

    def remove(name: str) -> Removal:
        try:
            removal = invocation.store.remove(name, force=force)
        except DiskFull as error:  # a name among several, or files that others use: it frees none
            error.hint = (
                "A few kB are enough: delete another file there, or a whole model by its ID,"
                " smolctl model rm --force ID."
            )
            raise
        if removal.deleted is not None:
            _unload(invocation, str(removal.deleted))
        if not as_json:
            _print(invocation, removal, quiet=quiet)
        return removal

    removals, failure = invocation.each(models, remove)
    if as_json:
        invocation.output.json([_as_json(removal) for removal in removals])
    if failure is not None:
        raise failure


def _unload(invocation: Invocation, model_id: str) -> None:
    """Have a worker of the removed model leave: its files take space for as long as it has them."""
    from smolctl.runner.workers import unload_if_idle

    try:
        unload_if_idle(invocation.settings, model_id)
    except SmolctlError as error:
        invocation.output.notice(f"{error.message}. {error.hint or ''}")


def _print(invocation: Invocation, removal: Removal, *, quiet: bool) -> None:
    if quiet:
        if removal.deleted is not None:
            invocation.output.line(str(removal.deleted))
        return
    for name in removal.untagged:
        if name.tag is not None:
            invocation.output.line(f"Untagged: {invocation.store.familiar(name)}")
    if removal.deleted is not None:
        # In a pipe as Docker prints it, for scripts; a person knows the ID by its beginning.
        terminal = invocation.output.stdout_is_terminal
        deleted = removal.deleted.short if terminal else removal.deleted
        invocation.output.line(f"Deleted: {deleted} ({format_size(removal.freed)} freed)")


def _as_json(removal: Removal) -> dict[str, object]:
    return {
        "untagged": [name.canonical for name in removal.untagged if name.tag is not None],
        "deleted": str(removal.deleted) if removal.deleted else None,
        "freed": removal.freed,
    }
