"""`smolctl model push`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from smolctl.errors import UsageError
from smolctl.model.units import format_size

if TYPE_CHECKING:
    from smolctl.registry.push import Push

EXAMPLES = (
    (
        "A model, under the name that it has here",
        "smolctl model push registry.example.com/team/m:v1",
    ),
    (
        "Give a model from elsewhere a name in that registry first",
        "smolctl model tag ai/smollm2 registry.example.com/team/m:v1",
    ),
)


def command(
    ctx: typer.Context,
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Names of models that are here."),
    ],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the digest, no progress.")
    ] = False,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Send models from this machine to their registries.

    A name says where it goes; `smolctl model tag` gives a model a name in another registry. What
    the registry has already is not sent again, and a large file that breaks off goes on where it
    stopped. Every byte is checked against its digest on the way out, and the name comes last: it
    never stands for half a model. The digest there is the model's ID here.
    """
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)

    def push(name: str) -> Push:
        store = invocation.store
        model = store.get(name)
        reference = invocation.reference_of(name, model)
        if reference is None or store.find_reference(reference) is None:
            raise UsageError(
                f"{name} is a model ID, and a registry knows models by their names",
                hint=f"Give it one: smolctl model tag {name} REGISTRY/NAME:TAG",
            )
        result = invocation.push(model, reference, quiet=quiet)
        if not as_json:
            print_push(invocation, result, quiet=quiet)
        return result

    results, failure = invocation.each(models, push)
    if as_json:
        invocation.output.json([push_as_json(result) for result in results])
    if failure is not None:
        raise failure


def print_push(invocation: Invocation, result: Push, *, quiet: bool, done: str = "Pushed") -> None:
    """Print what a push did: the digest alone with `quiet`."""
    if quiet:
        invocation.output.line(str(result.digest))
        return
    name = invocation.store.familiar(result.reference)
    sent = f"{format_size(result.size)}, {format_size(result.sent)} sent, ID {result.digest.short}"
    state = done if result.changed else "Already there:"
    invocation.output.line(f"{state} {name} ({sent})")


def push_as_json(result: Push) -> dict[str, Any]:
    """Return what a push did, as JSON shows it; sizes are in bytes."""
    return {
        "model": result.reference.canonical,
        "id": str(result.digest),
        "size": result.size,
        "sent": result.sent,
        "mounted": result.mounted,
        "changed": result.changed,
    }
