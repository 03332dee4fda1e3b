"""Write the man pages into `man/`: `make man`.

They are made of the command line itself; a test fails when they are stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shell_integration.man_page import man_pages
from shell_integration.tree import read_commands

FOLDER = Path(__file__).parent.parent / "man"


def main() -> None:
    """Write every page, and remove those of commands that are gone."""
    FOLDER.mkdir(exist_ok=True)
    pages = man_pages(read_commands())
    for path in FOLDER.glob("*.1"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name, file=sys.stderr)


if __name__ == "__main__":
    main()
