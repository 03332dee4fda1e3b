"""`smolctl completion`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from smolctl.cli.invocation import Invocation
from smolctl.errors import StorageError

EXAMPLES = (
    (
        "For bash, from the next shell on",
        "smolctl completion bash > ~/.local/share/bash-completion/completions/smolctl",
    ),
    (
        "For zsh; the folder has to be in fpath, before compinit",
        "smolctl completion zsh > ~/.zfunc/_smolctl",
    ),
    ("For fish", "smolctl completion fish > ~/.config/fish/completions/smolctl.fish"),
    ("For PowerShell", "smolctl completion powershell >> $PROFILE"),
    ("For this shell alone, bash or zsh", 'eval "$(smolctl completion bash)"'),
)


class Shell(str, Enum):
    """The shells that there is a script for."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"
    powershell = "powershell"


_FILES = {
    Shell.bash: "smolctl.bash",
    Shell.zsh: "_smolctl",
    Shell.fish: "smolctl.fish",
    Shell.powershell: "smolctl.ps1",
}


def command(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh, fish or powershell.")],
) -> None:
    """Print the script that completes smolctl's commands in a shell.

    It knows commands and options, and asks smolctl for the names of models and conversations.
    Nothing is installed: put it where the shell looks, as in the examples (mkdir -p makes a folder
    that is missing), and the undo is to delete that file. An installation by pip has the scripts
    for bash, zsh and fish in its share folder; where that is /usr/local or /usr, the shells find
    them there by themselves. What pipx installs is found by bash, fish and man.
    """
    Invocation.of(ctx).output.piece(_script(_FILES[shell]))


def _script(name: str) -> str:
    """Return a script of the package's, or of the repository's where it is run from there."""
    package = Path(__file__).parent.parent
    for folder in (package, package.parent):
        try:
            return (folder / "completions" / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
    raise StorageError(
        f"{name} is missing from the installation", hint="Install smolctl again, with pip."
    )
