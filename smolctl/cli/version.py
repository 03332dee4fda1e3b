"""`smolctl version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from smolctl import __version__
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag

EXAMPLES = (("For a bug report", "smolctl version --json"),)


def command(ctx: typer.Context, as_json: JsonFlag = False) -> None:
    """Print the versions of smolctl and of what it runs on, and where the cache is."""
    invocation = Invocation.of(ctx)
    facts = {
        "smolctl": __version__,
        "llama-cpp-python": _installed("llama-cpp-python"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "home": str(invocation.settings.home),
    }
    if as_json:
        invocation.output.json(facts)
        return
    for name, value in facts.items():
        invocation.output.line(f"{name:<17} {value}")


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
