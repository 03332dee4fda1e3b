"""Write the shell completions into `completions/`: `make completions`.

The scripts are Typer's own for each shell; they ask `smolctl` itself what may come next, so they
only change when Typer or the command's name does. A test fails when they are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from typer.completion import get_completion_script  # type: ignore[attr-defined] # no __all__

FOLDER = Path(__file__).parent.parent / "completions"
SCRIPTS = {
    "bash": "smolctl.bash",
    "zsh": "_smolctl",
    "fish": "smolctl.fish",
    "pwsh": "smolctl.ps1",
}
"""The file for each shell, under the name that shell looks for."""


def script(shell: str) -> str:
    """Return the completion script for `shell`."""
    text = get_completion_script(prog_name="smolctl", complete_var="_SMOLCTL_COMPLETE", shell=shell)
    return f"{text.strip()}\n"


def main() -> None:
    """Write every script, naming each."""
    FOLDER.mkdir(exist_ok=True)
    for shell, name in SCRIPTS.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")
        print(FOLDER / name, file=sys.stderr)


if __name__ == "__main__":
    main()
