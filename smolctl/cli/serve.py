"""`smolctl serve`."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.engine_options import (
    CacheTypeKFlag,
    CacheTypeVFlag,
    CtxSizeFlag,
    FlashAttnFlag,
    GpuLayersFlag,
    ParallelFlag,
    ThreadsFlag,
    engine_options,
)
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    RetriesFlag,
)
from smolctl.cli.output import printable_line
from smolctl.cli.text_file import read_text_file
from smolctl.errors import UsageError
from smolctl.settings import expanded, keep_alive_seconds

if TYPE_CHECKING:
    from smolctl.runner.gateway.request_log import Answered

EXAMPLES = (
    ("For the programs on this machine", "smolctl serve"),
    ("For other machines too", "smolctl serve --host 0.0.0.0 --api-key-file key.txt"),
    ("For a page that is open in a browser", "smolctl serve --allow-origin http://localhost:3000"),
    ("Models stay loaded, each for 8 callers", "smolctl serve --keep-alive -1 --parallel 8"),
)

_LONGEST_LINE = 300
"""Letters; the path and the name are the client's to choose."""

DEFAULT_PORT = 12434
"""Docker Model Runner's."""


def command(
    ctx: typer.Context,
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST", help="The address to listen on; beyond loopback, an API key is needed."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="What clients have to send. SMOLCTL_API_KEY and --api-key-file keep it from the"
            " list of processes.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file with the API key in it.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let pages of this origin (https://app.example) in; * for all, with an API key.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Answer to this host name, too."),
    ] = None,
    ctx_size: CtxSizeFlag = None,
    parallel: ParallelFlag = None,
    threads: ThreadsFlag = None,
    gpu_layers: GpuLayersFlag = None,
    flash_attn: FlashAttnFlag = None,
    cache_type_k: CacheTypeKFlag = None,
    cache_type_v: CacheTypeVFlag = None,
    keep_alive: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long an idle model stays loaded: 5m, 0, -1 for ever (also:"
            " SMOLCTL_KEEP_ALIVE).",
        ),
    ] = None,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing of the requests.")
    ] = False,
) -> None:
    """Serve all models over HTTP: OpenAI's API, and Docker Model Runner's to manage models.

    Models are loaded when they are asked for, each in a process of its own, and leave when they
    have been idle. Web pages and other machines are kept out unless the flags let them in. Each
    request is a line on stderr when it has ended, without what was asked and answered. What
    --plain-http and --ca-file say is about the default registry; config.toml has the others.
    """
    # Starlette and uvicorn take 200 ms, which --help need not.
    from smolctl.runner.gateway.app import gateway_app
    from smolctl.runner.gateway.policy import Policy
    from smolctl.runner.gateway.request_log import RequestLog
    from smolctl.runner.gateway.server import base_url, listen, serve
    from smolctl.runner.gateway.workers import Workers

    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    settings, store, output = invocation.settings, invocation.store, invocation.output
    key = _api_key(api_key, api_key_file)
    key = settings.api_key if key is None else key
    options, named = engine_options(
        ctx_size=ctx_size,
        threads=threads,
        parallel=parallel,
        gpu_layers=gpu_layers,
        flash_attn=flash_attn,
        cache_type_k=cache_type_k,
        cache_type_v=cache_type_v,
    )
    policy = Policy(
        hosts=frozenset(name.lower() for name in allow_host or ()),
        origins=frozenset(origin.lower() for origin in allow_origin or ()),
        api_key=key,
    )
    seconds = None if keep_alive is None else keep_alive_seconds(keep_alive, "--keep-alive")
    workers = Workers(store, settings, options, named, seconds, output.notice, output.debug)
    # A client may name any registry; what a flag says must not be true of all of them.
    registries = replace(invocation.registries, flagged=store.default_registry)
    listener = listen(host, port, beyond_loopback=key is not None)
    app = gateway_app(store, registries, workers, policy.listening(host, listener.getsockname()[0]))
    if not quiet:
        app = RequestLog(app, lambda answered: output.notice(_as_line(answered)))
    url = base_url(listener)
    output.notice(
        f"smolctl listens on {url}. For OpenAI's clients, the base URL is {url}/v1"
        f" (or {url}/engines/v1). Ctrl-C ends it."
    )
    where = listener.getsockname()[0]
    if ipaddress.ip_address(where).is_unspecified:
        output.notice(
            f"Other machines reach it at this machine's addresses, port"
            f" {listener.getsockname()[1]}, with the API key; --allow-host lets in names, too."
        )
    output.on_interrupt("smolctl serve has ended. `smolctl model ps` lists what is loaded still.")
    serve(app, listener)


def _as_line(answered: Answered) -> str:
    """Say what was asked and how it went, in the order of `smolctl share`."""
    about = f"{answered.method} {answered.path} {answered.status} in {answered.seconds:.2f} s"
    model = f" ({answered.model})" if answered.model else ""
    line = printable_line(f"{answered.peer} {about}{model}")
    return f"{time.strftime('%H:%M:%S')} {line[:_LONGEST_LINE]}"


def _api_key(given: str | None, file: Path | None) -> str | None:
    if file is None:
        return given
    if given is not None:
        raise UsageError("--api-key and --api-key-file contradict each other")
    return read_text_file(expanded(str(file))).strip()
