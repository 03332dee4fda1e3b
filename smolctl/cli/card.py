"""`smolctl model card`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.answer_view import answer_view
from smolctl.cli.inspected import Inspected, inspect_here, inspect_remote
from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import refuse_layout
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    ModelArgument,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.cli.output import printable
from smolctl.errors import ModelNotFound, SmolctlError, UsageError
from smolctl.model.card import Card, labels, make_card
from smolctl.model.layer import Role, readme_rank
from smolctl.model.reference import DOCKER_HUB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.variants import VariantRow
    from smolctl.model.reference import Reference

EXAMPLES = (
    ("What a model is, before it is pulled", "smolctl model card ai/smollm2"),
    ("As Markdown, on a terminal as well", "smolctl model card ai/smollm2 --markdown"),
    ("Its license, and who says so", "smolctl model card smollm2 --json | jq .facts.license"),
)

_LIMIT = 50


def command(
    ctx: typer.Context,
    model: ModelArgument,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, on a terminal as well.")
    ] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Show a model's card: what it is, its variants, what it is for, how to run it.

    Each fact is taken from the first place that has it: the README in the artifact, and the
    metadata that it begins with, the manifest's annotations, ModelPack's fields, the config, the
    GGUF header, and the description on Docker Hub for a model of it. --json says which. A model
    that is not here is read from its registry, without its weights; offline, only one that is
    here has a card, without variants.
    """
    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other")
    invocation = Invocation.of(
        ctx, offline=offline, network=NetworkFlags(plain_http, ca_file, None, retries)
    )
    refuse_layout(model)
    cards: list[Card] = []
    found = invocation.store.find(model)
    name = model
    reference = None
    if found is None or found.names:
        reference = invocation.remote_reference(model)
        name = invocation.store.familiar(reference)

    def read(inspected: Inspected) -> None:
        readmes = _readmes(inspected)
        if not invocation.offline and reference is not None:
            readmes |= _hub_readme(invocation, reference)
        license_name = inspected.license_name()
        cards.append(make_card(name, inspected.artifact, inspected.header, readmes, license_name))

    if found is not None:
        read(inspect_here(invocation.store, model))
    elif reference is not None and not invocation.offline:
        inspect_remote(invocation, reference, read)
    else:
        raise ModelNotFound(
            f"{name} is not here, and smolctl is told to stay offline",
            hint="`smolctl model ls` lists what is here. (--offline or SMOLCTL_OFFLINE)",
        )
    variants = (
        _variants(invocation, reference, is_here=found is not None) if reference is not None else []
    )
    if as_json:
        invocation.output.json(card_json(name, cards[0], variants))
        return
    output = invocation.output
    if markdown or not output.stdout_is_screen:
        output.piece(printable(card_markdown(name, cards[0], variants)))
        return
    view = answer_view(output, stream=False)
    view.feed(card_markdown(name, cards[0], variants, output.columns))
    view.finish()


def _readmes(found: Inspected) -> dict[str, str]:
    """Return the artifact's README, if it has one: its model card, whatever that is called."""
    documents = (
        (readme_rank(layer.path), layer) for layer in found.artifact.with_role(Role.DOCUMENT)
    )
    ranked = [(rank, layer) for rank, layer in documents if rank is not None]
    for _, layer in sorted(ranked, key=lambda each: each[0]):
        try:
            return {"README": found.read(layer, "README").decode(errors="replace")}
        except SmolctlError:
            continue  # in an archive, or larger than a document is
    return {}


def _hub_readme(invocation: Invocation, reference: Reference) -> dict[str, str]:
    """Return what Docker Hub says of a model of it; nothing where it cannot be reached."""
    if reference.registry != DOCKER_HUB:
        return {}
    from smolctl.registry.hub_description import fetch_page, hub_description

    def fetch(url: str) -> bytes:
        return fetch_page(url, invocation.settings.ca_bundle)

    try:
        text = hub_description(reference.repository, fetch)
    except SmolctlError as error:
        # Who has a mirror may well have no way to Docker Hub.
        if invocation.output.debug or not invocation.registries.mirrors(DOCKER_HUB):
            invocation.output.notice(f"No description from Docker Hub: {error.message}")
        return {}
    return {"Docker Hub": text} if text else {}


def _variants(
    invocation: Invocation, reference: Reference, *, is_here: bool
) -> list[tuple[VariantRow, bool]]:
    """Return the variants and which is recommended; none where the registry does not say."""
    if invocation.offline:
        return []
    from smolctl.cli.variants import read_repository, recommended, variant_row
    from smolctl.engine.options import EngineOptions
    from smolctl.runner.memory import usable_memory
    from smolctl.runner.workers import worker_options

    try:
        variants = read_repository(invocation, reference, _LIMIT, quiet=True)
    except ModelNotFound as error:
        if not is_here:  # else it was packaged here, and not pushed: nothing is wrong
            invocation.output.notice(f"The variants are not known: {error.message}")
        return []
    except SmolctlError as error:
        invocation.output.notice(f"The variants are not known: {error.message}")
        return []
    options, usable = worker_options(EngineOptions(), parallel=False), usable_memory()
    rows = [
        variant_row(invocation.store, reference, each, options, usable) for each in variants.found
    ]
    best = recommended(rows)
    return [(row, row is best) for row in rows]


def card_markdown(
    name: str, card: Card, variants: Sequence[tuple[VariantRow, bool]], columns: int = 0
) -> str:
    """Return the card as Markdown; for a screen of so many columns, without what is too wide."""
    from smolctl.cli.narrow_table import fitted
    from smolctl.cli.variants import DISPENSABLE, HEADERS, variant_cells

    parts = [f"# {_cell(card.title.value)}"]
    if card.description is not None:
        parts.append(card.description.value)
    known = [(label, card.facts[key].value) for key, label in labels().items() if key in card.facts]
    if known:
        parts += ["## Characteristics", _table(("Attribute", "Value"), known)]
    if variants:
        rows = [HEADERS, *(variant_cells(row, is_best=is_best) for row, is_best in variants)]
        heads, *cells = fitted(rows, DISPENSABLE, columns) if columns else rows
        parts += ["## Variants", _table([head.capitalize() for head in heads], cells)]
    if "intended_uses" in card.sections:
        parts += ["## Intended uses", card.sections["intended_uses"].value]
    parts += ["## How to run it", f"```sh\nsmolctl model run {name}\n```"]
    if "benchmarks" in card.sections:
        parts += ["## Benchmarks", card.sections["benchmarks"].value]
    links = [f"- <{link.value}>" for link in card.links]
    if "links" in card.sections:
        links.append(f"\n{card.sections['links'].value}")
    if links:
        parts += ["## Links", "\n".join(links).strip("\n")]
    return "\n\n".join(parts) + "\n"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("\\|", "|").replace("|", "\\|").split())


def card_json(name: str, card: Card, variants: Sequence[tuple[VariantRow, bool]]) -> dict[str, Any]:
    """Return the card in JSON: each fact with the place that said it."""
    from smolctl.cli.variants import variant_json

    def said(value: str, source: str) -> dict[str, str]:
        return {"value": value, "source": source}

    description = card.description
    return {
        "name": name,
        "title": said(card.title.value, card.title.source),
        "description": said(description.value, description.source) if description else None,
        "facts": {key: said(fact.value, fact.source) for key, fact in card.facts.items()},
        "variants": [variant_json(row, is_best=is_best) for row, is_best in variants],
        "sections": {key: said(part.value, part.source) for key, part in card.sections.items()},
        "links": [said(link.value, link.source) for link in card.links],
    }
