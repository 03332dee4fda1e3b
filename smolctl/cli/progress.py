"""The progress of a pull, on stderr: bars for a person, a line at start and end for a log."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.model.units import format_size
from smolctl.registry.pull import NoProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from smolctl.cli.output import Output
    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.registry.pull import Progress


@contextmanager
def pull_progress(output: Output, name: str, *, quiet: bool) -> Iterator[Progress]:
    """Give a pull of `name` the progress that fits stderr; with `quiet` it says nothing."""
    if quiet:
        yield NoProgress()
    elif output.stderr_is_terminal:
        with _bars() as bars:
            yield _BarProgress(bars)
    else:
        yield _LineProgress(output, name)


class _LineProgress(NoProgress):
    """One line when a blob begins and one when it is here: what a log file wants."""

    def __init__(self, output: Output, name: str) -> None:
        self._output = output
        self._name = name

    def begin(self, blob: Descriptor) -> None:
        """Say that `blob` is being fetched."""
        what = f"{blob.digest.short} ({format_size(blob.size)})"
        self._output.notice(f"{self._name}: fetching {what}")

    def end(self, blob: Descriptor) -> None:
        """Say that `blob` is here."""
        self._output.notice(f"{self._name}: {blob.digest.short} is here, verified")


class _BarProgress:
    """A bar for each blob, with bytes, rate and time left."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[Digest, TaskID] = {}

    def begin(self, blob: Descriptor) -> None:
        """Add a bar for `blob`."""
        self._tasks[blob.digest] = self._bars.add_task(blob.digest.short, total=blob.size)

    def advance(self, blob: Descriptor, count: int) -> None:
        """Move the bar of `blob`."""
        self._bars.advance(self._tasks[blob.digest], count)

    def end(self, blob: Descriptor) -> None:
        """Fill the bar of `blob`, also when another process fetched it meanwhile."""
        self._bars.update(self._tasks[blob.digest], completed=blob.size)


def _bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=console,
    )
