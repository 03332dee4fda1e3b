"""Ten thousand of each thing that strangers send, changed by chance: an answer or an error.

Never another exception, never more than 64 MiB of memory, never more than a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.mutations import MEMORY, READERS, SECONDS, Outcome, read_mutations

if TYPE_CHECKING:
    from pathlib import Path

readers = pytest.mark.parametrize("reader", READERS)


@readers
def test_some(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outcome = read_mutations(reader, 60)

    assert outcome.slowest < SECONDS
    assert outcome.read
    assert outcome.refused or reader == "readme"


@pytest.mark.slow
@pytest.mark.timeout(600)
@readers
def test_ten_thousand(reader: str, tmp_path: Path) -> None:
    count = 2000 if reader == "layout" else 10_000  # the disk is waited for, each time
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.mutations", reader, str(count)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    outcome = Outcome(**json.loads(done.stdout))
    assert outcome.read + outcome.refused == count
    assert outcome.read > count // 100
    assert outcome.slowest < SECONDS
    assert outcome.grown < MEMORY
