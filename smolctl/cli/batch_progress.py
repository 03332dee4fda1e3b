"""The progress of a batch: a bar on a terminal, and what it came to in a line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.cli.bar_columns import Part, fitting
from smolctl.cli.progress import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.runner.batch.batch import Summary
    from smolctl.runner.batch.results import Result

_RATE_SECONDS = 30.0
"""Over how long the rates are taken: rows differ in length."""


@contextmanager
def batch_bar(
    total: Callable[[], int | None], before: int, *, drawn: bool
) -> Iterator[Callable[[Result], object]]:
    """Draw a bar on stderr from the first result on; what is given is to be told of each.

    `total` gives the number of rows, None when nobody knows, `before` is how many of them were
    done before. It is not there before a result is, because loading the model may have a bar of
    its own. Unless it is to be `drawn`, nothing is.
    """
    if not drawn:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Column

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    rows = total()
    pace = _Pace(rows, before)
    parts = [
        Part(BarColumn(bar_width=20), 20),
        Part(MofNCompleteColumn(table_column=Column(no_wrap=True)), 2 * len(str(rows or 0)) + 1),
        Part(TextColumn("{task.fields[pace]}"), 33),
    ]
    bar = Progress(*fitting(parts, (0, 2), console.width), console=console)
    task = bar.add_task("", total=rows, completed=before, pace="")

    def update(result: Result) -> None:
        bar.start()
        bar.update(task, completed=pace.add(result), pace=pace.line())

    try:
        yield update
    finally:
        bar.stop()


def summary_line(summary: Summary, before: int) -> str:
    """Return what came of a batch; `before` rows were done before."""
    parts = [f"{_rows(summary.done)} done"]
    if summary.failed:
        parts.append(f"{summary.failed} failed")
    if before:
        parts.append(f"{before} done before")
    if summary.tokens:
        rate = f"{summary.tokens / max(summary.seconds, 1e-3):.1f} tokens/s"
        parts.append(f"{summary.tokens} tokens in {clock(summary.seconds)}, {rate}")
    return ", ".join(parts)


class _Pace:
    """How fast rows come, over the last while."""

    def __init__(self, total: int | None, before: int) -> None:
        self._total = total
        self._rows = before
        self._tokens = self._failed = 0
        self._seen = [(time.monotonic(), before, 0)]

    def add(self, result: Result) -> int:
        """Count `result`, and return how many rows are done."""
        self._rows += 1
        self._failed += result.error is not None
        self._tokens += result.usage.completion if result.usage is not None else 0
        now = time.monotonic()
        self._seen.append((now, self._rows, self._tokens))
        while now - self._seen[0][0] > _RATE_SECONDS and len(self._seen) > 2:
            del self._seen[0]
        return self._rows

    def line(self) -> str:
        """Return tokens a second, failures and the time left, as text."""
        (then, rows, tokens), now = self._seen[0], time.monotonic()
        passed = max(now - then, 1e-6)
        parts = [f"{(self._tokens - tokens) / passed:.0f} tokens/s"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._total is not None and self._rows > rows:
            left = max(self._total - self._rows, 0) * passed / (self._rows - rows)
            parts.append(f"{clock(left)} left")
        return ", ".join(parts)


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
