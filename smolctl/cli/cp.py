"""`smolctl model cp`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import refuse_layout
from smolctl.cli.options import (
    JsonFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    RetriesFlag,
)
from smolctl.cli.progress import PUSHING, transfer_progress
from smolctl.cli.push import print_push, push_as_json
from smolctl.errors import UsageError

EXAMPLES = (
    (
        "From Docker Hub into the company's registry",
        "smolctl model cp ai/smollm2 registry.example.com/ai/smollm2",
    ),
    (
        "Release a candidate",
        "smolctl model cp registry.example.com/team/m:rc1 registry.example.com/team/m:v1",
    ),
)


def command(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A name in a registry.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The name to give it.")],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the digest, no progress.")
    ] = False,
    as_json: JsonFlag = False,
    from_plain_http: Annotated[
        bool, typer.Option("--from-plain-http", help="Speak HTTP to the registry of SOURCE.")
    ] = False,
    to_plain_http: Annotated[
        bool, typer.Option("--to-plain-http", help="Speak HTTP to the registry of TARGET.")
    ] = False,
    from_ca_file: Annotated[
        Path | None,
        typer.Option("--from-ca-file", metavar="FILE", help="Certificates to trust for SOURCE."),
    ] = None,
    to_ca_file: Annotated[
        Path | None,
        typer.Option("--to-ca-file", metavar="FILE", help="Certificates to trust for TARGET."),
    ] = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Copy a model from one registry to another, without keeping it here.

    Its files stream through, each checked against its digest on the way. What TARGET's registry
    has is not fetched, and within one registry nothing is. The digest stays the same.
    """
    there = NetworkFlags(from_plain_http, from_ca_file, max_connections, retries)
    network = NetworkFlags(to_plain_http, to_ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    store = invocation.store
    refuse_layout(source)
    origin, name = store.parse(source), store.parse(target)
    if name.digest is not None:
        raise UsageError("a digest cannot be given as a name", hint="Name a tag: NAME:TAG")
    invocation.output.on_interrupt(
        "Interrupted. The registry keeps the blobs that are whole; the same command sends the rest."
    )
    shown = store.familiar(name)
    with transfer_progress(invocation.output, shown, quiet=quiet, words=PUSHING) as progress:
        source_side = replace(invocation, network=there).registries
        result = invocation.registries.copy(source_side, origin, name, progress)
    invocation.output.on_interrupt(None)
    if as_json:
        invocation.output.json(push_as_json(result))
    else:
        print_push(invocation, result, quiet=quiet, done="Copied")
