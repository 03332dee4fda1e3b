"""`smolctl model ls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.listed import Listed
from smolctl.cli.listing import show_listing
from smolctl.cli.noted_listing import listing_state, note_listing
from smolctl.cli.options import JsonFlag, QuietFlag
from smolctl.model.reference import ModelId

if TYPE_CHECKING:
    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel

EXAMPLES = (
    ("Everything that is here", "smolctl model ls"),
    ("The variants of one model", "smolctl model ls smollm2"),
    ("For a script", "smolctl model ls --json | jq -r '.[].tags[]'"),
)


def command(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Only this model, or this repository.",
        ),
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the models that are here, a line for each name."""
    invocation = Invocation.of(ctx)
    store, output = invocation.store, invocation.output
    if model is not None and ModelId.parse(model) is None:
        store.parse(model)  # what is no name at all is a mistake, and not an empty list
    state = listing_state(invocation.settings.home)
    models = [found for found in store.models() if model is None or _matches(store, found, model)]
    read = [Listed.read(store, found) for found in models]
    entries = [each.entry(store, _shown(store, each.model, model)) for each in read]
    show_listing(entries, output, as_json=as_json, quiet=quiet)
    if model is None:
        note_listing(invocation.settings, state, entries)


def _matches(store: Store, model: StoredModel, pattern: str) -> bool:
    """Whether `pattern` is the model's ID or name, or its name without the tag."""
    model_id = ModelId.parse(pattern)
    if model_id is not None and model_id.matches(model.id):
        return True
    if model_id is not None and len(pattern) > len(model.id.short):
        return False  # too long for a name of twelve digits
    wanted = store.parse(pattern)
    if wanted.digest is not None:
        return model.id == wanted.digest and any(name.name == wanted.name for name in model.names)
    return bool(_named(store, model, pattern))


def _shown(store: Store, model: StoredModel, pattern: str | None) -> tuple[Reference, ...]:
    """Return which names of `model` are listed: those that `pattern` means, all for an ID."""
    if pattern is None or ((wanted := ModelId.parse(pattern)) and wanted.matches(model.id)):
        return model.names
    return _named(store, model, pattern)


def _named(store: Store, model: StoredModel, pattern: str) -> tuple[Reference, ...]:
    """Return the names of `model` that `pattern` is, or is without the tag."""
    wanted = store.parse(pattern)
    bare = wanted.digest is not None or ":" not in pattern.rpartition("/")[2]
    return tuple(
        name for name in model.names if name == wanted or (bare and name.name == wanted.name)
    )
