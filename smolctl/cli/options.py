"""Flags that several commands share, so that they look and mean the same on each."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from smolctl.model.reference import parse_registry
from smolctl.settings import MAXIMUM_CONNECTIONS


class PullPolicy(str, Enum):
    """When `run` and `resolve` go to the registry."""

    missing = "missing"
    always = "always"
    newer = "newer"
    never = "never"


class NetworkFlags(NamedTuple):
    """What a command's flags say about reaching registries; the defaults say nothing.

    `plain_http` and `ca_file` are about the registry of the model that is asked for.
    """

    plain_http: bool = False
    ca_file: Path | None = None
    max_connections: int | None = None
    retries: int | None = None


def named_registry(text: str) -> str:
    """Return the registry that `text` names, also as the URL that Docker's tools take.

    Raises `InvalidReference` when it is neither.
    """
    url = re.fullmatch(r"https://([^/]+)(?:/v[12])?/?", text)
    return parse_registry(url[1] if url else text)


ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name (ai/smollm2:360M-F16) or a model ID.",
    ),
]
RegistryArgument = Annotated[
    str,
    typer.Argument(metavar="[REGISTRY]", help="HOST or HOST:PORT; Docker Hub without it."),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Print only IDs.")]
OfflineFlag = Annotated[
    bool, typer.Option("--offline", help="Keep off the network (also: SMOLCTL_OFFLINE=1).")
]
PlainHttpFlag = Annotated[
    bool,
    typer.Option("--plain-http", help="Speak HTTP to the registry; loopback ones need no flag."),
]
CaFileFlag = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Trust the certificates in this PEM file too, for the registry.",
    ),
]
MaxConnectionsFlag = Annotated[
    int | None,
    typer.Option(
        "--max-connections",
        min=1,
        max=MAXIMUM_CONNECTIONS,
        metavar="N",
        help="Connections to fetch over at once; 8 unless config.toml says otherwise.",
    ),
]
RetriesFlag = Annotated[
    int | None,
    typer.Option(
        "--retries",
        min=0,
        metavar="N",
        help="How often to try again in a row when the network fails; 7 unless config.toml says"
        " otherwise.",
    ),
]
PullFlag = Annotated[
    PullPolicy,
    typer.Option(
        "--pull",
        help="When to ask the registry: if the model is missing, always, if there is a newer one"
        " (the registry may be out of reach), never.",
    ),
]
