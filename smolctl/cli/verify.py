"""`smolctl model verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.cache_words import plural, shown_name, unindexed
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.cli.progress import file_progress, transfer_progress
from smolctl.errors import IntegrityError, RegistryUnavailable, UsageError
from smolctl.model.units import format_size
from smolctl.store.lost import has_lost_its_index
from smolctl.store.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from smolctl.registry.repair import Outcome
    from smolctl.store.store import StoredModel
    from smolctl.store.verification import Damage, Verification

EXAMPLES = (
    ("Everything that is here", "smolctl model verify"),
    ("One model, and fetch what is damaged", "smolctl model verify ai/smollm2 --repair"),
    ("For a script", "smolctl model verify --json | jq -r '.damaged[].models[]'"),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names or IDs of models; all of them without."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch what is damaged from its registry.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Hash what is in the cache again, and name what is damaged.

    `--repair` fetches that, and only that, from the registries of the models, and checks it. A
    damaged file is replaced when its replacement is here, so a model that is loaded is not
    disturbed. The exit code is 6 when something is damaged, and stays so.
    """
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    store, output = invocation.store, invocation.output
    if repair and invocation.offline:
        raise UsageError(f"--repair and {invocation.settings.offline_by} contradict each other")
    if repair and not models:
        _remake_index(invocation)
    wanted = [store.get(name) for name in models] if models else None
    with file_progress(output, quiet=quiet) as tell:
        found = verify(store, wanted, lambda done, total: tell("verifying", done, total))
    outcomes: list[Outcome] | None = None
    if repair and found.damages:
        outcomes = _repair(invocation, found.damages, quiet=quiet)
    if as_json:
        output.json(_as_json(found, outcomes))
    else:
        _print(invocation, found, outcomes)
    for unknown in found.unknown:
        output.notice(
            f"What {shown_name(store, unknown.model)} is made of is unknown: {unknown.problem}."
        )
    _raise(invocation, found, outcomes)


def _remake_index(invocation: Invocation) -> None:
    remade = invocation.store.remake_index()
    if remade is None:
        return
    tell = invocation.output.notice
    count = plural(len(remade), "model")
    if not remade:
        tell(f"index.json was damaged or missing. The new one has {count}.")
        return
    tell(f"index.json was damaged or missing. The new one has {count}, without names:")
    for model in remade:
        tell(f"  {model.id.short}")
    tell("Pulling a model gives it its name again, and nothing is fetched twice.")
    tell("`smolctl model tag ID NAME` names one that was packaged here.")


def _repair(invocation: Invocation, damages: Sequence[Damage], *, quiet: bool) -> list[Outcome]:
    from smolctl.registry.repair import Repair

    output = invocation.output
    output.on_interrupt(
        "Interrupted. What was fetched is kept; `smolctl model verify --repair` fetches the rest."
    )
    with transfer_progress(output, "repair", quiet=quiet) as progress:
        repair = Repair(invocation.store, invocation.registries.sources, progress)
        outcomes = list(repair.mend(damages))
    output.on_interrupt(None)
    return outcomes


def _print(invocation: Invocation, found: Verification, outcomes: Sequence[Outcome] | None) -> None:
    output = invocation.output
    if outcomes is None:
        for damage in found.damages:
            output.line(f"Damaged: {_line(invocation, damage)}")
    else:
        for outcome in outcomes:
            state = "Repaired" if outcome.is_mended else "Not repaired"
            output.line(f"{state}: {_line(invocation, outcome.damage)}")
            for failure in outcome.failures:
                output.notice(f"{outcome.damage.blob.digest.short}: {failure.message}")
    left = len(_left(found, outcomes))
    state = f"{left} damaged" if left else "all whole"
    count = plural(found.count, "blob")
    output.line(f"Verified: {count}, {format_size(found.size)}, {state}")
    for model in _mended(outcomes):
        if _is_loaded(invocation, model):
            name = shown_name(invocation.store, model)
            output.notice(
                f"{name} is loaded, with what was damaged: `smolctl model unload {name}` ends that."
            )


def _line(invocation: Invocation, damage: Damage) -> str:
    """Return a damaged blob in words: what it is, what is wrong, and of which models."""
    about = f"{damage.part}, {format_size(damage.blob.size)}, {damage.fault.value}"
    names = ", ".join(_names(invocation, damage.models))
    return f"{damage.blob.digest.short} ({about}){': ' if names else ''}{names}"


def _names(invocation: Invocation, models: Iterable[StoredModel]) -> list[str]:
    store = invocation.store
    return [
        name
        for model in models
        for name in ([store.familiar(tag) for tag in model.tags] or [shown_name(store, model)])
    ]


def _left(found: Verification, outcomes: Sequence[Outcome] | None) -> list[Damage]:
    if outcomes is None:
        return list(found.damages)
    return [outcome.damage for outcome in outcomes if not outcome.is_mended]


def _mended(outcomes: Sequence[Outcome] | None) -> list[StoredModel]:
    mended = [outcome.damage for outcome in outcomes or () if outcome.is_mended]
    return list({model.id: model for damage in mended for model in damage.models}.values())


def _is_loaded(invocation: Invocation, model: StoredModel) -> bool:
    from smolctl.runner.address import WorkerFolder

    folder = WorkerFolder.of(invocation.settings)
    name = folder.address(str(model.id)).socket.name
    return any(socket.name == name for socket in folder.sockets())


def _raise(invocation: Invocation, found: Verification, outcomes: Sequence[Outcome] | None) -> None:
    """Fail when something is damaged still, with what to do about it."""
    left = _left(found, outcomes)
    if not left:
        if has_lost_its_index(invocation.store):
            raise IntegrityError(unindexed(invocation.store))
        return
    names = _names(invocation, {m.id: m for damage in left for m in damage.models}.values())
    concerned = f", of {', '.join(names)}" if names else ""
    raise IntegrityError(
        f"{plural(len(left), 'blob')} {'is' if len(left) == 1 else 'are'} damaged{concerned}",
        hint=_hint(names, outcomes),
    )


def _hint(names: Sequence[str], outcomes: Sequence[Outcome] | None) -> str:
    if outcomes is None:
        return "`smolctl model verify --repair` fetches what is damaged from its registry."
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    hints = [each.hint for each in failures if isinstance(each, RegistryUnavailable) and each.hint]
    if hints or not names:
        return next(iter(hints), "`smolctl model prune` deletes what no model needs.")
    return (
        f"`smolctl model pull {names[0]}` brings what its registry has now; what was packaged here"
        " must be packaged again."
    )


def _as_json(found: Verification, outcomes: Sequence[Outcome] | None) -> dict[str, Any]:
    damaged = [_damage_json(damage) for damage in found.damages]
    if outcomes is not None:
        damaged = [
            {
                **_damage_json(each.damage),
                "repaired": each.is_mended,
                "reasons": [failure.message for failure in each.failures],
            }
            for each in outcomes
        ]
    return {"blobs": found.count, "size": found.size, "damaged": damaged}


def _damage_json(damage: Damage) -> dict[str, Any]:
    return {
        "digest": str(damage.blob.digest),
        "size": damage.blob.size,
        "part": damage.part,
        "problem": damage.fault.value,
        "detail": damage.detail,
        "models": [name.canonical for model in damage.models for name in model.tags or model.names],
        "ids": [str(model.id) for model in damage.models],
    }
