"""The progress of a pull, on stderr: bars for a person, a line at start and end for a log."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.cli.output import printable_line
from smolctl.model.units import format_size
from smolctl.registry.progress import NoProgress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from smolctl.cli.output import Output
    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.registry.progress import Progress


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


class _LineProgress:
    """One line when a blob begins and one when it is here: what a log file wants."""

    def __init__(self, output: Output, name: str) -> None:
        self._output = output
        self._name = name

    def begin(self, blob: Descriptor, present: int) -> None:
        """Say that `blob` is being fetched."""
        had = f", {format_size(present)} of it here already" if present else ""
        what = f"{blob.digest.short} ({format_size(blob.size)}{had})"
        self._output.notice(f"{self._name}: fetching {what}")

    def update(self, blob: Descriptor, present: int) -> None:
        """Say nothing: a log wants no moving bar."""

    def end(self, blob: Descriptor) -> None:
        """Say that `blob` is here."""
        self._output.notice(f"{self._name}: {blob.digest.short} is here, verified")

    def notice(self, text: str) -> None:
        """Print it."""
        self._output.notice(f"{self._name}: {text}")


class _BarProgress:
    """A bar for each blob, with bytes, rate and time left."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[Digest, TaskID] = {}

    def begin(self, blob: Descriptor, present: int) -> None:
        """Add a bar for `blob`, as full as it is."""
        # `completed` from the start: what was here already does not count into the rate.
        self._tasks[blob.digest] = self._bars.add_task(
            blob.digest.short, total=blob.size, completed=present
        )
        if present:
            had = f"{format_size(present)} of {format_size(blob.size)}"
            self.notice(f"{blob.digest.short}: going on, {had} are here already")

    def update(self, blob: Descriptor, present: int) -> None:
        """Move the bar of `blob`; full, it says that the hash is still to come."""
        task = self._tasks[blob.digest]
        label = f"{blob.digest.short} verifying" if present == blob.size else blob.digest.short
        self._bars.update(task, completed=present, description=label)

    def end(self, blob: Descriptor) -> None:
        """Fill the bar of `blob`, also when another process fetched it meanwhile."""
        self._bars.update(
            self._tasks[blob.digest], completed=blob.size, description=blob.digest.short
        )

    def notice(self, text: str) -> None:
        """Print it above the bars."""
        self._bars.console.print(printable_line(text), markup=False, highlight=False)


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
