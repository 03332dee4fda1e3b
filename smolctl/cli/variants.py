"""`smolctl model variants`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.hugging_face import refuse_hugging_face
from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import refuse_layout
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.engine.options import EngineOptions
from smolctl.errors import ModelNotFound
from smolctl.model.reference import ModelId
from smolctl.model.units import format_size
from smolctl.runner.memory import usable_memory
from smolctl.runner.need import Need, memory_need
from smolctl.runner.workers import worker_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from smolctl.cli.output import Output
    from smolctl.model.reference import Reference
    from smolctl.registry.variants import Variant, Variants
    from smolctl.store.store import Store

EXAMPLES = (
    ("All variants of a model", "smolctl model variants ai/smollm2"),
    ("What they take with a short context", "smolctl model variants smollm2 --ctx-size 2048"),
    (
        "The one to take, for a script",
        "smolctl model variants smollm2 --json | jq -r '.[] | select(.recommended).tags[0]'",
    ),
)

HEADERS = (
    "TAGS",
    "PARAMETERS",
    "QUANTIZATION",
    "CONTEXT",
    "SIZE",
    "MEMORY",
    "FITS",
    "DIGEST",
    "HERE",
)
DISPENSABLE = ("DIGEST", "PARAMETERS", "QUANTIZATION", "CONTEXT", "HERE")
"""What a narrow terminal does without, the first first: a tag says much of it."""

_ABSENT = "-"
_DEFAULT_LIMIT = 200
_MAXIMUM_LIMIT = 10_000


@dataclass(frozen=True)
class VariantRow:
    """A variant, what it takes here, and whether it is here: `up to date`, `here`, `older`."""

    variant: Variant
    need: Need | None
    here: str | None


def command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A name; its tag does not matter."),
    ],
    ctx_size: Annotated[
        int | None,
        typer.Option("--ctx-size", min=1, help="Tokens of context to estimate the memory for."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, max=_MAXIMUM_LIMIT, metavar="N", help="Tags to look at."),
    ] = _DEFAULT_LIMIT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only digests.")] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """List the variants of a model that its registry has, before any is pulled.

    Tags that name the same model share a line. SIZE is what a pull fetches; of the weights, only
    the file's header is read, and that only where the model's config does not say enough.

    MEMORY is what `run` would take: weights, KV cache and working memory, with the context of
    --ctx-size, else with the model's own or as much of it as fits. HERE says whether the model is
    on this machine, and whether the tag here is as the registry has it.

    FITS says whether that much memory can be had now. Recommended is, of those that fit with a
    context of 4,096 tokens (or all that the model or --ctx-size has), the one with the most bytes
    of weights: of one model the finest quantization, of several the largest.

    On a terminal that is too narrow, columns are left out; --json has everything.
    """
    refuse_layout(model)
    refuse_hugging_face(model)
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    store, output = invocation.store, invocation.output
    repository = repository_of(store, model)
    variants = read_repository(invocation, repository, limit, quiet=quiet)
    if quiet:
        for variant in variants.found:
            if variant.digest is not None:
                output.line(str(variant.digest))
    else:
        options = worker_options(EngineOptions(context_size=ctx_size), parallel=False)
        usable = usable_memory()
        rows = [variant_row(store, repository, each, options, usable) for each in variants.found]
        best = recommended(rows)
        if as_json:
            output.json([variant_json(row, is_best=row is best) for row in rows])
        else:
            cells = [variant_cells(row, is_best=row is best) for row in rows]
            output.table(HEADERS, cells, dispensable=DISPENSABLE, last=("MEMORY", "SIZE"))
            _say_problems(output, rows)
            _recommend(output, store, repository, best, usable)
    if variants.more:
        output.notice(f"{repository.name} has more tags than these {limit}: --limit shows more.")


def recommended(rows: Sequence[VariantRow]) -> VariantRow | None:
    """Return the row with the most bytes of weights of those that fit with a useful context."""
    fitting = [row for row in rows if row.need is not None and row.need.comfortable]
    return max(fitting, key=lambda row: row.variant.weights_bytes, default=None)


def repository_of(store: Store, name: str) -> Reference:
    """Return what `name` is a model of. Raises `ModelNotFound` for an ID of no name here."""
    found = store.find(name) if ModelId.parse(name) is not None else None
    if found is None:
        return store.parse(name)
    if not found.names:
        raise ModelNotFound(
            f"{found.id.short} has no name here", hint="A registry knows models by their names."
        )
    return found.names[0]


def read_repository(
    invocation: Invocation, repository: Reference, limit: int, *, quiet: bool
) -> Variants:
    """Return the variants of `repository`, with progress on a terminal unless `quiet`."""
    registries = invocation.registries
    with (
        _progress(invocation.output, quiet=quiet) as (tell, notice),
        registries.sources(repository, notice) as (sources, options),
    ):
        from smolctl.registry.variants import read_variants

        return read_variants(
            sources,
            repository,
            invocation.store.blobs,
            limit=limit,
            threads=options.connections,
            tell=tell,
        )


@contextmanager
def _progress(
    output: Output, *, quiet: bool
) -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Give what shows how far the reading is, on a terminal alone, and what prints a notice."""
    if quiet or not output.stderr_is_terminal:
        yield (lambda done, total: None), output.notice  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from smolctl.cli.bar_columns import Part, fitting
    from smolctl.cli.output import printable_line

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    parts = [
        Part(TextColumn("Reading"), 7),
        Part(BarColumn(bar_width=20), 20),
        Part(MofNCompleteColumn(), 7),
    ]
    columns = fitting(parts, (1,), console.width)
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        def notice(text: str) -> None:
            console.print(printable_line(text), markup=False, highlight=False)

        yield tell, notice


def variant_row(
    store: Store, repository: Reference, variant: Variant, options: EngineOptions, usable: int
) -> VariantRow:
    """Return what `variant` takes here with `options`, and whether it is here."""
    need = None
    if variant.header is not None:
        need = memory_need(variant.header, variant.weights_bytes, options, usable, variant.context)
    return VariantRow(variant, need, _here(store, repository, variant))


def _here(store: Store, repository: Reference, variant: Variant) -> str | None:
    """Say how the model of `variant` and its tags are in the cache; None when not at all."""
    if variant.digest is None:
        return None
    tagged = [store.find_reference(repository.with_tag(tag)) for tag in variant.tags]
    named = [model.id for model in tagged if model is not None]
    if any(id_ != variant.digest for id_ in named):
        return "older"
    if named:
        return "up to date"
    return "here" if any(model.id == variant.digest for model in store.models()) else None


def variant_cells(row: VariantRow, *, is_best: bool) -> tuple[str, ...]:
    """Return the cells of a row, under `HEADERS`."""
    variant, need = row.variant, row.need
    fits = _ABSENT if need is None else "yes" if need.fits else "no"
    return (
        ", ".join(variant.tags),
        variant.parameters or _ABSENT,
        variant.quantization or _ABSENT,
        str(variant.context or _ABSENT),
        _ABSENT if variant.size is None else format_size(variant.size),
        _ABSENT if need is None else format_size(need.bytes),
        "recommended" if is_best else fits,
        variant.digest.short if variant.digest else _ABSENT,
        row.here or _ABSENT,
    )


def _say_problems(output: Output, rows: Sequence[VariantRow]) -> None:
    """Say why cells are empty, each reason once."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.variant.problem is not None:
            reasons.setdefault(row.variant.problem, []).extend(row.variant.tags)
    for reason, tags in reasons.items():
        output.notice(f"{', '.join(tags)}: {reason}")


def _recommend(
    output: Output, store: Store, repository: Reference, best: VariantRow | None, usable: int
) -> None:
    can = f"{format_size(usable)} of memory can be had here"
    if best is None or best.need is None:
        output.notice(f"None is recommended: {can}.")
        return
    name = store.familiar(repository.with_tag(best.variant.tags[0]))
    context = f"with a context of {best.need.context} tokens"
    output.notice(f"Recommended: {name}, {context}; {can}.")


def variant_json(row: VariantRow, *, is_best: bool) -> dict[str, Any]:
    """Return a row in JSON: sizes in bytes, digests in full."""
    variant, need = row.variant, row.need
    value: dict[str, Any] = {
        "tags": list(variant.tags),
        "digest": str(variant.digest) if variant.digest else None,
        "architecture": variant.architecture,
        "parameters": variant.parameters,
        "quantization": variant.quantization,
        "context_size": variant.context,
        "size": variant.size,
        "memory": None,
        "fits": None,
        "recommended": is_best,
        "here": row.here,
    }
    if need is not None:
        value["memory"] = {"bytes": need.bytes, "context_size": need.context}
        value["fits"] = need.fits
    if variant.problem is not None:
        value["problem"] = variant.problem
    return value
