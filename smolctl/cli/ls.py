"""`smolctl model ls`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.listing import HEADERS, Listed, by_name
from smolctl.cli.options import JsonFlag, QuietFlag, local_models
from smolctl.errors import SmolctlError
from smolctl.model.reference import ModelId

if TYPE_CHECKING:
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
            autocompletion=local_models,
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
    models = [found for found in store.models() if model is None or _matches(store, found, model)]
    if quiet and not as_json:
        for found in models:
            output.line(found.id.short)
        return
    listed = [_listed(store, found) for found in models]
    if as_json:
        output.json([entry.as_json() for entry in listed])
        return
    rows = [row for entry in listed for row in entry.rows(store)]
    output.table(HEADERS, sorted(rows, key=by_name))
    if not rows and output.stdout_is_terminal:
        output.notice("No models here yet. Pull one: smolctl model pull ai/smollm2")


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
    bare = ":" not in pattern.rpartition("/")[2]
    return any(name == wanted or (bare and name.name == wanted.name) for name in model.names)


def _listed(store: Store, model: StoredModel) -> Listed:
    try:
        return Listed(model, store.artifact(model))
    except SmolctlError as error:  # one damaged model must not hide the others
        return Listed(model, None, error.message)
