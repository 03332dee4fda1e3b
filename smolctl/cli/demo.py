"""`smolctl demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.errors import StorageError
from smolctl.model.reference import Reference
from smolctl.store.storage import storage_errors
from smolctl.store.store import Store

if TYPE_CHECKING:
    from smolctl.cli.output import Output

EXAMPLES = (
    ("See it work, without any network", "smolctl demo"),
    ("Keep its files somewhere else", "smolctl demo --home /tmp/smolctl-demo"),
)

QUESTION = "What is the capital of France?"
_MARK = "made-by-smolctl-demo"
"""The file that says that the folder is a demo's, and may be emptied by the next one."""

_VARIABLES = {"SMOLCTL_OFFLINE": "", "SMOLCTL_HOST": "", "SMOLCTL_KEEP_ALIVE": "1m"}
"""What is set for the demo's commands; an empty variable counts as unset."""

PIPED = "Anna baked a cake for her brother. The cake was sweet. Everybody liked it."


@dataclass(frozen=True)
class _Step:
    """One ordinary command of the demo, and what is piped into it."""

    arguments: tuple[str, ...]
    piped: str | None = None

    def __str__(self) -> str:
        command = shlex.join(("smolctl", *self.arguments))
        return command if self.piped is None else f"echo {shlex.quote(self.piped)} | {command}"


def command(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="The folder where the demo keeps its models.")
    ] = None,
) -> None:
    """Pull, list and run a small demo model from a registry on loopback.

    Needs no network: the model comes with smolctl, and is served by a registry that this command
    starts and stops. The cache it uses is its own, not yours. The model is a demo model of
    three and a half million parameters; it knows a few hundred facts, and nothing else.
    """
    # Imported here: `--help` needs neither a web server nor llama.cpp.
    from smolctl.demo.artifact import REPOSITORY, publish
    from smolctl.registry.sharing.server import serving

    output = Invocation.of(ctx).output
    folder = (home or _default_folder()).absolute()
    served, cache = Store(folder / "registry"), Store(folder / "models")
    _clear(folder, served.root, cache.root)
    publish(served)
    with serving(served) as registry:
        model = Reference(registry, REPOSITORY, "latest").familiar()
        output.line("This demo pulls a demo model (not SmolLM2) from a registry on this machine.")
        output.line(f"Its cache is {cache.root}; yours is not touched.")
        for step in (
            _Step(("model", "pull", model)),
            _Step(("model", "ls")),
            _Step(("model", "run", model, QUESTION, "--temperature", "0")),
            _Step(("model", "run", model, "Summarize:", "--temperature", "0"), PIPED),
        ):
            _run(output, step, cache.root)
    output.line()
    output.line("Now with a model from Docker Hub:  smolctl model run ai/smollm2")
    output.line(
        f"To chat with the demo model:  SMOLCTL_HOME={shlex.quote(str(cache.root))}"
        f" smolctl model run {model}"
    )


def _run(output: Output, step: _Step, home: Path) -> None:
    output.line()
    output.line(f"$ {step}")
    sys.stdout.flush()
    # Its registry is on this machine, so it may be asked also where the network may not. What is
    # piped into the demo is no part of its prompts.
    done = subprocess.run(
        (sys.executable, "-m", "smolctl", *step.arguments),
        env={**os.environ, "SMOLCTL_HOME": str(home), **_VARIABLES},
        input=b"" if step.piped is None else f"{step.piped}\n".encode(),
    )
    if done.returncode:
        output.notice(f"The demo ended early: that command's exit code is {done.returncode}.")
        raise typer.Exit(done.returncode)


def _default_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("smolctl", appauthor=False) / "demo"


def _clear(folder: Path, *roots: Path) -> None:
    """Remove what an earlier demo left in `folder`, and nothing that it did not make."""
    mark = folder / _MARK
    if not mark.exists() and any(root.exists() for root in roots):
        raise StorageError(
            f"{folder} holds something that no demo made",
            hint="Name another folder with --home.",
        )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
        for root in roots:
            shutil.rmtree(root, ignore_errors=True)
