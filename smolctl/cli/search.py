"""`smolctl model search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
    named_registry,
)
from smolctl.cli.output import GAP, printable_line
from smolctl.errors import RegistryUnavailable, UsageError
from smolctl.model.reference import DEFAULT_TAG, DOCKER_HUB, Reference
from smolctl.model.units import format_count, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.output import Output
    from smolctl.registry.search import FoundModel
    from smolctl.store.store import Store

EXAMPLES = (
    ("Models of Docker Hub that have both words", "smolctl model search qwen code"),
    ("All that there are", "smolctl model search --limit 1000"),
    ("What a registry has", "smolctl model search --registry registry.example.com"),
    ("The most pulled one, for a script", "smolctl model search -q -n 1 gemma"),
)

HUB_HEADERS = ("NAME", "DESCRIPTION", "DOWNLOADS", "STARS", "HERE")
REGISTRY_HEADERS = ("NAME", "HERE")

_ABSENT = "-"
_DEFAULT_LIMIT = 32
"""Docker Model Runner's."""

_NARROWEST = 12
"""Columns of the screen for a description; where there are fewer, other columns go first."""


def command(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]...", help="What the name or the description has; without any, all."
        ),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Search this registry, by names, and not Docker Hub."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many to show.")
    ] = _DEFAULT_LIMIT,
    as_json: JsonFlag = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only names.")] = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Search for models by words in their names and descriptions.

    Of Docker Hub these are the models in its `ai` namespace, the most pulled first. Of another
    registry (--registry, or SMOLCTL_DEFAULT_REGISTRY) its catalog is read, which has names alone;
    many registries show it to nobody, or only to who is logged in. HERE says that a model of that
    name is on this machine. Names can be given to `pull` and `run` as they stand.
    """
    network = NetworkFlags(plain_http, ca_file, None, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    store, output = invocation.store, invocation.output
    asked = named_registry(registry) if registry is not None else store.default_registry
    wanted = [word for given in words or () for word in given.split()]
    found = _search(invocation, asked, wanted)
    shown = found[:limit]
    if as_json:
        here = _here(store)
        output.json([_as_json(store, model, here) for model in shown])
    elif quiet:
        for model in shown:
            output.line(_name(store, model))
    elif shown:
        _table(output, store, shown, from_hub=asked == DOCKER_HUB)
    if not found:
        having = f" with {' and '.join(wanted)}" if wanted else ""
        output.notice(f"No models{having} were found in {asked}.")
    elif len(found) > limit:
        output.notice(f"{len(found) - limit} more: --limit shows them, more words leave some out.")


def _search(invocation: Invocation, registry: str, words: Sequence[str]) -> list[FoundModel]:
    from smolctl.registry.search import HUB_HOST, search_docker_hub, search_registry

    if registry != DOCKER_HUB:
        with invocation.registries.known_client(registry, invocation.output.notice) as client:
            return search_registry(words, client)
    if invocation.offline:
        raise UsageError(f"{invocation.settings.offline_by} keeps smolctl away from {HUB_HOST}")
    from smolctl.registry.hub_description import fetch_page

    def fetch(url: str) -> bytes:
        return fetch_page(url, invocation.settings.ca_bundle, invocation.network.ca_file)

    try:
        return search_docker_hub(words, fetch)
    except RegistryUnavailable as error:
        # Only Docker Hub has descriptions and counts, so a mirror does not stand in for it unasked.
        mirrors = invocation.registries.mirrors(DOCKER_HUB)
        if mirrors:
            flags = (
                f"--registry {each.registry}{' --plain-http' if each.plain_http else ''}"
                for each in mirrors
            )
            error.hint = f"Its mirror has a list of names: {' or '.join(flags)}"
        raise


def _name(store: Store, model: FoundModel) -> str:
    """Return what to give to `pull`: the name without its tag, which is the default one."""
    reference = Reference(model.registry, model.repository, DEFAULT_TAG)
    return store.familiar(reference).removesuffix(f":{DEFAULT_TAG}")


def _here(store: Store) -> set[str]:
    return {name.name for model in store.models() for name in model.names}


def _table(output: Output, store: Store, models: Sequence[FoundModel], *, from_hub: bool) -> None:
    here = _here(store)
    rows: list[tuple[str, ...]] = []
    for model in models:
        is_here = "here" if f"{model.registry}/{model.repository}" in here else _ABSENT
        name = _name(store, model)
        if from_hub:
            description = printable_line(model.description or "") or _ABSENT
            downloads, stars = _count(model.downloads), _count(model.stars)
            rows.append((name, description, downloads, stars, is_here))
        else:
            rows.append((name, is_here))
    if not from_hub:
        output.table(REGISTRY_HEADERS, rows)
        return
    if output.columns:
        from smolctl.cli.narrow_table import beginning

        # What is left of a line, beside the other columns and what parts them.
        others = [max(len(row[n]) for row in (HUB_HEADERS, *rows)) for n in (0, 2, 3, 4)]
        room = max(output.columns - sum(others) - len(GAP) * len(others), _NARROWEST)
        mark = "…" if output.has_signs else ".."
        rows = [(row[0], beginning(row[1], room, mark=mark), *row[2:]) for row in rows]
    output.table(HUB_HEADERS, rows, dispensable=("STARS", "DOWNLOADS", "DESCRIPTION"))


def _count(number: int | None) -> str:
    return _ABSENT if number is None else format_count(number)


def _as_json(store: Store, model: FoundModel, here: set[str]) -> dict[str, Any]:
    return {
        "name": _name(store, model),
        "registry": model.registry,
        "repository": model.repository,
        "description": model.description,
        "downloads": model.downloads,
        "stars": model.stars,
        "updated": format_time(model.updated) if model.updated is not None else None,
        "here": f"{model.registry}/{model.repository}" in here,
    }
