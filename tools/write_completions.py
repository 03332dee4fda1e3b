"""Write the shell completions into `completions/`: `make completions`.

They are made of the command line itself; a test fails when they are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shell_integration import bash, fish, powershell, zsh
from shell_integration.tree import read_commands

FOLDER = Path(__file__).parent.parent / "completions"


def scripts() -> dict[str, str]:
    """Return each script under the name of its file, which is what its shell looks for."""
    root = read_commands()
    return {
        "smolctl.bash": bash.script(root),
        "_smolctl": zsh.script(root),
        "smolctl.fish": fish.script(root),
        "smolctl.ps1": powershell.script(root),
    }


def main() -> None:
    """Write every script, naming each."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in scripts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name, file=sys.stderr)


if __name__ == "__main__":
    main()
