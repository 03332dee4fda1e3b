"""Flags that several commands share, so that they look and mean the same on each."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class PullPolicy(str, Enum):
    """When `run` and `resolve` go to the registry."""

    missing = "missing"
    always = "always"
    newer = "newer"
    never = "never"


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A name (ai/smollm2:360M-F16) or a model ID.")
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
PullFlag = Annotated[
    PullPolicy,
    typer.Option(
        "--pull",
        help="When to ask the registry: if the model is missing, always, if there is a newer one"
        " (the registry may be out of reach), never.",
    ),
]
