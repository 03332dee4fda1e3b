"""The shell scripts beside this file: what people write, under `bash -euo pipefail`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.docker_registry import require

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

SCRIPTS = sorted(Path(__file__).parent.glob("*.sh"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script(filled: Smolctl, tmp_path: Path, script: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    ours = Path(sys.executable).parent
    environment = {
        **filled.environment,
        "PATH": f"{ours}:{filled.environment['PATH']}",
        "MODEL": "small",
    }
    done = subprocess.run(
        # The trace goes where no redirection of the script reaches it.
        ["bash", "-xeuo", "pipefail", "-c", 'exec 9>&2; BASH_XTRACEFD=9; . "$0"', str(script)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.interop
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_shellcheck_finds_nothing(script: Path) -> None:
    require("shellcheck")
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
