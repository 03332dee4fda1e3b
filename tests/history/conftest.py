"""Fixtures of history: its files, in a folder of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.history.location import HistoryFiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> HistoryFiles:
    return HistoryFiles(tmp_path / "state" / "smolctl")
