"""skopeo, an OCI tool that is not ours."""

from __future__ import annotations

import subprocess


def skopeo(*arguments: str) -> str:
    """Run it; returns what it printed."""
    done = subprocess.run(
        ["skopeo", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
