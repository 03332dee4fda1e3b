"""`smolctl model tag`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag

EXAMPLES = (
    ("A short name of your own", "smolctl model tag ai/smollm2:360M-Q4_K_M mine:small"),
    ("The undo", "smolctl model rm mine:small"),
)


def command(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A name or an ID.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The name to add.")],
    as_json: JsonFlag = False,
) -> None:
    """Give a model another name. Nothing is copied; both names mean the same files."""
    invocation = Invocation.of(ctx)
    store = invocation.store
    model = store.get(source)
    reference = store.parse(target)
    before = store.find_reference(reference)
    store.tag(model, reference)
    if as_json:
        was = str(before.id) if before is not None else None
        invocation.output.json({"tag": reference.canonical, "id": str(model.id), "before": was})
        return
    if before is not None and before.id != model.id:
        invocation.output.notice(f"{store.familiar(reference)} named {before.id.short} before.")
    invocation.output.line(f"{store.familiar(reference)} is {model.id.short} now")
