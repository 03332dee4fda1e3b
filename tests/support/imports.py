"""What a command imports, and what only some commands have a use for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

HEAVY = {
    "requests",
    "urllib3",
    "oras",
    "llama_cpp",
    "numpy",
    "rich",
    "markdown_it",
    "pygments",
    "prompt_toolkit",
    "starlette",
    "uvicorn",
    "jinja2",
    "sqlite3",
    "ctypes",
    "http.client",
    "asyncio",
}
"""What takes tens of milliseconds to import."""

OTHER_SIDE = {
    "smolctl.runner.chat_fields",
    "smolctl.runner.generation_fields",
    "smolctl.runner.worker_status",
    "smolctl.store.journal",
    "smolctl.store.partial",
}
"""What reads requests, and what writes the cache: nothing for who asks a worker that is up."""


def imported_by(smolctl: Smolctl, *line: str) -> set[str]:
    """Run a command to its end, and return the modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "smolctl", *line],
        env=smolctl.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    imported = {text.rpartition("|")[2].strip() for text in done.stderr.decode().splitlines()}
    assert "smolctl" in imported  # the list is one
    return imported
