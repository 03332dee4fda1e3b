"""`smolctl model prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.age import age_seconds
from smolctl.cli.cache_words import (
    KINDS,
    leftover_json,
    leftover_name,
    plural,
    shown_name,
    unindexed,
)
from smolctl.cli.history.deletion import YesFlag, confirmed
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.model.units import format_size
from smolctl.store.pruning import Rule, carry_out, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from smolctl.cli.output import Output
    from smolctl.model.digest import Digest
    from smolctl.settings import Settings
    from smolctl.store.leftovers import Leftover
    from smolctl.store.pruning import Plan, Pruned
    from smolctl.store.store import Store, StoredModel

EXAMPLES = (
    ("Delete what no model needs", "smolctl model prune"),
    ("See first what that is", "smolctl model prune --dry-run"),
    ("Also models that no tag names, in a script", "smolctl model prune --all --yes"),
    (
        "Downloads that were broken off, too, whatever their age",
        "smolctl model prune --older-than 0",
    ),
)


def command(
    ctx: typer.Context,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            "-a",
            help="Also models that no tag names, and partial downloads of any age.",
        ),
    ] = False,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Only what has not changed for so long: 7d, 12h, 2w, 0. Without it, 7d for partial"
            " downloads.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")
    ] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete from the cache what no model needs.

    That is files of no model, unpacked archives of models that are gone, and downloads that were
    broken off a week ago or longer: until then, pulling goes on with them. `--all` deletes models
    that no tag names as well, and asks before it does. A model with a tag is never deleted, nor is
    anything that another smolctl is pulling, packaging or loading, or has loaded.
    """
    invocation = Invocation.of(ctx)
    store, output = invocation.store, invocation.output
    age = None if older_than is None else age_seconds(older_than)
    planned = plan(store, Rule(everything, age, _in_use(invocation.settings)))
    if dry_run:
        _show(store, output, planned, None, as_json=as_json)
        return
    asks = everything and not planned.is_empty
    if asks and not confirmed(output, _described(planned), yes=yes, named=False):
        return
    done = carry_out(store, planned)
    _show(store, output, planned, done, as_json=as_json)


def _in_use(settings: Settings) -> Callable[[Digest], bool]:
    """Return what says whether a model is loaded, or being loaded."""
    from smolctl.runner.address import WorkerFolder
    from smolctl.runner.workers import loading_models, survey

    workers, stuck = survey(WorkerFolder.of(settings))
    ids = {worker.id for worker in workers}
    starts = (*loading_models(settings), *(socket.stem for socket in stuck))
    return lambda digest: str(digest) in ids or digest.hex.startswith(starts)


def _described(planned: Plan) -> str:
    """Return what is about to be deleted, for the question."""
    parts = [plural(len(planned.models), "model without a tag")] if planned.models else []
    parts += [_counted(planned.leftovers)] if planned.leftovers else []
    return f"{', '.join(parts)} ({format_size(planned.size)})"


def _show(
    store: Store, output: Output, planned: Plan, done: Pruned | None, *, as_json: bool
) -> None:
    what: Plan | Pruned = planned if done is None else done
    freed = planned.size if done is None else done.freed
    if as_json:
        output.json(
            {
                "dry_run": done is None,
                "freed": freed,
                "models": [
                    {
                        "id": str(model.id),
                        "names": [name.canonical for name in model.names],
                        "size": size,
                    }
                    for model, size in what.models
                ],
                "deleted": [leftover_json(each) for each in what.leftovers],
            }
        )
    else:
        verb = "Deleted" if done is not None else "Would delete"
        for model, size in what.models:
            output.line(f"{verb}: {model.id} ({shown_name(store, model)}, {format_size(size)})")
        for each in what.leftovers:
            shown = f"{KINDS[each.kind]}, {format_size(each.size)}"
            output.line(f"{verb}: {leftover_name(each)} ({shown})")
        total = "Total reclaimed space" if done is not None else "Total reclaimable space"
        output.line(f"{total}: {format_size(freed)}")
    for notice in _notices(store, planned, done):
        output.notice(notice)


def _notices(store: Store, planned: Plan, done: Pruned | None) -> Iterator[str]:
    """Yield what stays, and why."""
    for model in planned.unreadable:
        yield (
            f"The manifest of {shown_name(store, model)} cannot be read, so that any blob may be"
            " its: none was deleted. `smolctl model verify --repair` mends it,"
            " or `smolctl model rm` removes it."
        )
    if planned.is_unindexed:
        yield f"Kept: every blob. {unindexed(store)}"
    if planned.young:
        size = format_size(sum(each.size for each in planned.young))
        yield (
            f"Kept: {_counted(planned.young)} ({size}), not old enough. --older-than 0 deletes"
            " them."
        )
    if planned.untagged:
        yield f"Kept: {_models(store, planned.untagged)}, without a tag. --all deletes them."
    if planned.loaded:
        yield f"Kept: {_models(store, planned.loaded)}, in use. `smolctl model unload` ends that."
    if done is not None and done.busy:
        why = "a model is on its way in" if done.is_writing else "somebody is at work on them"
        yield f"Kept: {_counted(done.busy)}, because {why}."


def _counted(leftovers: Sequence[Leftover]) -> str:
    counts = {name: sum(each.kind is kind for each in leftovers) for kind, name in KINDS.items()}
    return ", ".join(plural(count, name) for name, count in counts.items() if count)


def _models(store: Store, models: Sequence[StoredModel]) -> str:
    return ", ".join(shown_name(store, model) for model in models)
