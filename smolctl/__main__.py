"""The `smolctl` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line in `sys.argv` and exit with its code."""
    from smolctl.cli.boundary import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
