"""The progress of a transfer in a log: a line for each blob, and signs of life of a slow one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from smolctl.cli import progress
from smolctl.cli.progress import PULLING, PUSHING, bar_columns, transfer_progress
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest

WEIGHTS = Descriptor("application/octet-stream", Digest("sha256", "ab" * 32), 40_000_000_000)
LICENSE = Descriptor("application/octet-stream", Digest("sha256", "cd" * 32), 11_000)


class Log:
    """An output that is no terminal."""

    stderr_is_terminal = False

    def __init__(self):
        self.lines = []

    def notice(self, text):
        self.lines.append(text)


@pytest.fixture
def at(monkeypatch):
    """Set the time, in seconds."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])

    def set_to(seconds):
        clock[0] = seconds

    return set_to


def test_a_quick_blob_has_one_line(at):
    log = Log()
    with transfer_progress(log, "ai/m", quiet=False, words=PUSHING) as told:
        told.begin(LICENSE, 0)
        for tenth in range(9):
            at(tenth / 10)
            told.update(LICENSE, 0)
        told.end(LICENSE)
    assert log.lines == ["ai/m: cdcdcdcdcdcd (11.0 kB) is there, verified"]


def test_a_slow_one_shows_signs_of_life(at):
    log = Log()
    with transfer_progress(log, "ai/m", quiet=False, words=PULLING) as told:
        told.begin(WEIGHTS, 0)
        for second in range(70):
            at(second)
            told.update(WEIGHTS, second * 100_000_000)
        told.update(WEIGHTS, WEIGHTS.size)
        at(91)
        told.update(WEIGHTS, WEIGHTS.size)
        told.end(WEIGHTS)
    assert log.lines == [
        "ai/m: fetching abababababab (40.0 GB)",
        "ai/m: abababababab: 3.10 GB of 40.0 GB, 100 MB/s, 6:09 left",
        "ai/m: abababababab: 6.10 GB of 40.0 GB, 100 MB/s, 5:39 left",
        "ai/m: abababababab: 40.0 GB of 40.0 GB, verifying",
        "ai/m: abababababab (40.0 GB) is here, verified",
    ]


def test_quiet_says_nothing(at):
    log = Log()
    with transfer_progress(log, "ai/m", quiet=True) as told:
        told.begin(WEIGHTS, 0)
        at(100)
        told.update(WEIGHTS, 1)
        told.end(WEIGHTS)
    assert log.lines == []


@pytest.mark.parametrize("columns", [20, 30, 40, 50, 60, 80])
def test_a_bar_is_one_line_and_ends_before_the_terminal_does(columns):
    console = Console(width=columns, force_terminal=True, color_system=None, file=io.StringIO())
    bars = Progress(*bar_columns(columns), console=console)
    bars.add_task(
        "abababababab", total=946_000_000, completed=945_900_000, pace="33.2 MB/s, 12:05 left"
    )
    with console.capture() as drawn:
        console.print(bars.get_renderable())

    lines = drawn.get().splitlines()
    assert len(lines) == 1
    assert "945.9/946.0 MB" in lines[0]
    assert len(lines[0].rstrip()) <= columns - len("^C")
