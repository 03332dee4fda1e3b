"""`smolctl model resolve`."""

from __future__ import annotations

import typer

from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    JsonFlag,
    MaxConnectionsFlag,
    ModelArgument,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    PullFlag,
    PullPolicy,
    RetriesFlag,
)
from smolctl.store.files import gguf_path, model_files

EXAMPLES = (
    ("Hand a model to llama.cpp's own tools", 'llama-bench -m "$(smolctl model resolve smollm2)"'),
    ("Pull it first if need be", "smolctl model resolve ai/smollm2 --pull missing"),
)


def command(
    ctx: typer.Context,
    model: ModelArgument,
    pull: PullFlag = PullPolicy.never,
    as_json: JsonFlag = False,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Print the path of a model's GGUF file.

    The file is the one in the cache: read it, do not change it. Of a model in several shards it
    is the first, with the others beside it under the names llama.cpp looks for.
    """
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    found = invocation.obtain(model, pull)
    files = model_files(invocation.store, invocation.store.artifact(found))
    path = gguf_path(invocation.store, found, files)
    if as_json:
        shards = [str(shard) for shard in files.weights]
        invocation.output.json({"id": str(found.id), "path": str(path), "files": shards})
    else:
        invocation.output.path(path)
