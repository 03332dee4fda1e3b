"""`smolctl model df`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.cache_words import (
    KINDS,
    leftover_json,
    leftover_name,
    origin_of,
    shown_name,
    time_of,
    unindexed,
)
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.model.units import format_age, format_size
from smolctl.store.leftovers import Kind
from smolctl.store.usage import measure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.cli.output import Output
    from smolctl.store.contents import Contents
    from smolctl.store.leftovers import Leftover
    from smolctl.store.store import Store
    from smolctl.store.usage import Share, Usage

EXAMPLES = (
    ("What the cache takes", "smolctl model df"),
    ("Model by model", "smolctl model df -v"),
    ("For a script", "smolctl model df --json | jq .reclaimable"),
)

HEADERS = ("TYPE", "TOTAL", "SIZE", "RECLAIMABLE")
"""The columns of `docker system df` that make sense here."""

MODEL_HEADERS = ("MODEL NAME", "MODEL ID", "SIZE", "SHARED SIZE", "UNIQUE SIZE")
LEFTOVER_HEADERS = ("TYPE", "NAME", "SIZE", "OF", "CHANGED")


def command(
    ctx: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List models and leftovers one by one.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what the models take of the disk, and what can be had back.

    RECLAIMABLE is what `smolctl model prune --all` deletes: models that no tag names, files that no
    model needs, downloads that were broken off. What several models share is counted once; with
    `-v`, UNIQUE SIZE is what removing a model frees.
    """
    invocation = Invocation.of(ctx)
    store, output = invocation.store, invocation.output
    usage = measure(store)
    if as_json:
        output.json(_as_json(store, usage))
        return
    if verbose:
        _print_details(store, usage, output)
    output.table(
        HEADERS,
        [
            _row("Models", usage.of_models),
            _row("Unused blobs", usage.of_blobs),
            _row("Partial downloads", usage.of_unfinished),
            _row("Unpacked archives", usage.of_archives),
            _row("All", usage.total),
        ],
        dispensable=("TOTAL", "RECLAIMABLE"),
    )
    output.line(f"Free on its disk: {format_size(usage.free)} of {format_size(usage.capacity)}")
    if usage.oldest_partial is not None:
        output.line(f"Oldest partial download: {_age(usage.oldest_partial)}")
    for contents in usage.models:
        if contents.problem is not None:
            name = shown_name(store, contents.model)
            output.notice(
                f"What {name} is made of is unknown: {contents.problem}."
                " `smolctl model verify` says more."
            )
    if usage.is_unindexed:
        output.notice(unindexed(store))


def _print_details(store: Store, usage: Usage, output: Output) -> None:
    output.table(
        MODEL_HEADERS,
        [row for each in usage.models for row in _model(store, usage, each)],
        dispensable=("SHARED SIZE", "MODEL ID", "SIZE"),
    )
    output.line()
    leftovers = [*usage.blobs, *usage.unfinished, *usage.archives]
    if leftovers:
        rows = [_leftover(each) for each in leftovers]
        output.table(LEFTOVER_HEADERS, rows, dispensable=("OF", "CHANGED"))
        output.line()


def _row(name: str, share: Share) -> tuple[str, ...]:
    percent = f" ({round(100 * share.reclaimable / share.size)}%)" if share.size else ""
    reclaimable = f"{format_size(share.reclaimable)}{percent}"
    return name, str(share.count), format_size(share.size), reclaimable


def _model(store: Store, usage: Usage, contents: Contents) -> Iterator[tuple[str, ...]]:
    own = usage.own(contents)
    sizes = [format_size(size) for size in (contents.size, contents.size - own, own)]
    model = contents.model
    none = f"{origin_of(store, model)}:<none>" if model.names else "<none>"
    for name in [store.familiar(tag) for tag in model.tags] or [none]:
        yield name, model.id.short, *sizes


def _leftover(leftover: Leftover) -> tuple[str, ...]:
    changed = "now, in use" if leftover.is_locked else _age(leftover.modified)
    whole = format_size(leftover.whole) if leftover.kind is Kind.partial else "-"
    name = leftover_name(leftover)
    return KINDS[leftover.kind], name, format_size(leftover.size), whole, changed


def _age(seconds: float) -> str:
    return format_age(time_of(seconds))


def _as_json(store: Store, usage: Usage) -> dict[str, Any]:
    return {
        "path": str(store.root),
        "size": usage.total.size,
        "reclaimable": usage.total.reclaimable,
        "free": usage.free,
        "capacity": usage.capacity,
        "models": {
            **_share(usage.of_models),
            "items": [_model_json(usage, e) for e in usage.models],
        },
        "blobs": {**_share(usage.of_blobs), "items": [leftover_json(e) for e in usage.blobs]},
        "partial": {
            **_share(usage.of_unfinished),
            "items": [{**leftover_json(e), "in_use": e.is_locked} for e in usage.unfinished],
        },
        "archives": {
            **_share(usage.of_archives),
            "items": [leftover_json(e) for e in usage.archives],
        },
    }


def _share(share: Share) -> dict[str, Any]:
    return {"count": share.count, "size": share.size, "reclaimable": share.reclaimable}


def _model_json(usage: Usage, contents: Contents) -> dict[str, Any]:
    own = usage.own(contents)
    value: dict[str, Any] = {
        "id": str(contents.model.id),
        "tags": [tag.canonical for tag in contents.model.tags],
        "size": contents.size,
        "shared": contents.size - own,
        "unique": own,
    }
    if contents.problem is not None:
        value["problem"] = contents.problem
    return value
