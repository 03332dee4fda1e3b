"""How long a command takes before it does anything: against a bare Python."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from benchmarks.timing import Contender, race

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path) -> None:
    """Time `--version`, `ls` on an empty cache, and `--help`."""
    environment = {**os.environ, "SMOLCTL_HOME": str(folder / "empty")}
    smolctl = (sys.executable, "-m", "smolctl")
    race(
        "Start-up",
        [
            Contender("python -c pass", (sys.executable, "-c", "pass")),
            Contender("smolctl --version", (*smolctl, "--version"), environment),
            Contender("smolctl model ls", (*smolctl, "model", "ls"), environment),
            Contender("smolctl model run --help", (*smolctl, "model", "run", "-h"), environment),
        ],
        rounds=9,
    )
