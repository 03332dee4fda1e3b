"""`smolctl share`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.cache_words import plural
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag
from smolctl.listening import Address, reachable_addresses
from smolctl.model.reference import DEFAULT_TAG
from smolctl.model.units import format_size, format_time

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.model.reference import Reference
    from smolctl.registry.sharing.shared_models import SharedModels
    from smolctl.registry.sharing.visits import Visit
    from smolctl.store.store import Store

EXAMPLES = (
    ("Everything that is here, for the local network", "smolctl share --host 0.0.0.0"),
    ("Two models alone", "smolctl share --host 0.0.0.0 ai/smollm2 ai/smollm2:360M-F16"),
    ("Through a proxy or a tunnel on this machine", "smolctl share --port 5000"),
    ("Who pulled what, for a script", "smolctl share --json | jq 'select(.event == \"pull\")'"),
)

DEFAULT_PORT = 12435
"""One above that of `serve`. Port 5000, which registries have, is AirPlay's on a Mac."""

_TOLD_OF = 5
"""Names that two registries have, of which so many are told."""


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Names or IDs of models; without any, all."),
    ] = None,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="The address to listen on; 0.0.0.0 for other machines."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    as_json: JsonFlag = False,
) -> None:
    """Share the models that are here as a read-only registry, for other machines to pull from.

    Any OCI client can pull: smolctl, skopeo, Docker, or a registry that mirrors. What is pulled or
    removed here meanwhile shows at once. There is no password and no TLS: on a network, whoever
    reaches the port can pull every model that is shared.

    A name is found by its path, whichever registry it is of: ai/smollm2. Where two registries
    have the same name, Docker Hub's comes first (or that of SMOLCTL_DEFAULT_REGISTRY); each is
    also found with its registry before it: ghcr.io/team/model.

    Each pull is a line on stderr when it has ended, with --json an object a line on stdout.
    """
    from smolctl.registry.sharing.server import RegistryServer
    from smolctl.registry.sharing.shared_models import Selection, SharedModels

    invocation = Invocation.of(ctx)
    store, output = invocation.store, invocation.output
    shared = SharedModels(store, Selection.of(store, models) if models else None)
    count = len(shared.models)  # a damaged cache is an error before anybody is told where it is
    address = Address.of(host, port)
    listener = address.listen()
    port = listener.getsockname()[1]
    # Those that others can type come first.
    reached = [_written(ip, port) for ip in reachable_addresses(listener)]
    here = _Place(reached or [_written(address.ip, port)], address.is_loopback)
    if as_json:
        listening = {"event": "listening", "addresses": here.addresses, "models": count}
        output.json(listening, on_one_line=True)
        output.flush()
    _say_where(output, store, shared, here, selected=bool(models))

    def tell(visit: Visit) -> None:
        if as_json:
            output.json(_as_json(visit), on_one_line=True)
            output.flush()
        else:
            output.notice(_as_line(store, visit))

    RegistryServer(shared, listener, tell).run()


@dataclass(frozen=True)
class _Place:
    """Where the registry is: `host:port`, the one to type first."""

    addresses: list[str]
    is_loopback: bool

    @property
    def first(self) -> str:
        return self.addresses[0]


def _say_where(
    output: Output, store: Store, shared: SharedModels, here: _Place, *, selected: bool
) -> None:
    count = len(shared.models)
    models = plural(count, "model")
    output.notice(f"Sharing {models}, read-only, at http://{here.first}. Ctrl-C ends it.")
    if count == 0:
        output.notice("What is pulled here meanwhile is shared at once.")
    if here.is_loopback:
        output.notice("Only this machine gets there; --host 0.0.0.0 lets others in.")
    else:
        which = f"the {models} named" if selected else f"every model here ({count})"
        output.notice(
            f"Anyone who reaches this machine can pull {which}: there is no password, and no TLS."
        )
        if len(here.addresses) > 1:
            output.notice(f"It is at {', '.join(here.addresses[1:])}, too.")
    name = _example(shared, store)
    if name is not None:
        tag = "" if name.tag == DEFAULT_TAG else f":{name.tag}"
        plain_http = "" if here.is_loopback else " --plain-http"
        output.notice("To pull one:" if here.is_loopback else "To pull one on another machine:")
        # Not broken between words, as a notice is: this is to be copied.
        output.aside(f"  smolctl model pull {here.first}/{name.repository}{tag}{plain_http}\n")
    if name is not None and ":" not in name.registry:  # no mirror's address has a port in its path
        output.notice("Or in the config.toml there, to ask here first:")
        output.aside(
            f'  [registry."{name.registry}"]\n  mirrors = ["http://{here.first}/{name.registry}"]\n'
        )
    for entry in shared.hidden()[:_TOLD_OF]:
        path = f"{entry.name.repository}:{entry.name.tag}"
        where = f"is {here.first}/{entry.name.registry}/{path}"
        if ":" in entry.name.registry:
            where = "cannot be pulled from here"
        output.notice(f"Two registries have {path}. That of {entry.name.registry} {where}.")


def _example(shared: SharedModels, store: Store) -> Reference | None:
    """Return a name that can be pulled: a `latest` if there is one, of the default registry."""

    def rank(name: Reference) -> tuple[bool, bool, Reference]:
        return name.registry != store.default_registry, name.tag != DEFAULT_TAG, name

    hidden = {entry.name for entry in shared.hidden()}
    found = (entry.name for path in shared.repositories for entry in shared.in_repository(path))
    names = (name for name in found if name.tag is not None and name not in hidden)
    return min(names, key=rank, default=None)


def _written(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _as_line(store: Store, visit: Visit) -> str:
    """Say what one machine took. The time is of the clock on the wall, as in a log."""
    when = time.strftime("%H:%M:%S")
    name, size = store.familiar(visit.shared.name), format_size(visit.bytes)
    if visit.whole:
        return f"{when} {visit.peer} pulled {name} ({size} in {visit.seconds:.1f} s)"
    return f"{when} {visit.peer} took {size} of {name}"


def _as_json(visit: Visit) -> dict[str, Any]:
    return {
        "event": "pull",
        "time": format_time(datetime.now(timezone.utc)),
        "peer": visit.peer,
        "model": visit.shared.name.canonical,
        "id": str(visit.shared.model.id),
        "bytes": visit.bytes,
        "seconds": round(visit.seconds, 3),
        "whole": visit.whole,
    }
