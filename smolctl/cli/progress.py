"""The progress of a transfer, on stderr: bars for a person, lines for a log."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.cli.bar_columns import Part, fitting
from smolctl.cli.output import printable_line
from smolctl.model.units import format_size
from smolctl.registry.progress import NoProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

    from smolctl.cli.output import Output
    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.registry.progress import Progress


_TOLD_AFTER_SECONDS = 1.0
_TOLD_EVERY_SECONDS = 30.0
_RATE_SECONDS = 5.0
_KNOWN_SECONDS = 0.5
"""How long it takes to know a rate."""


@dataclass(frozen=True)
class Direction:
    """The words for one direction of a transfer: under way, all bytes moved, and ended."""

    begun: str
    moved: str
    ended: str


PULLING = Direction("fetching", "verifying", "is here, verified")
PUSHING = Direction("sending", "finishing", "is there, verified")


@contextmanager
def transfer_progress(
    output: Output, name: str, *, quiet: bool, words: Direction = PULLING
) -> Iterator[Progress]:
    """Give a transfer of `name` the progress that fits stderr; with `quiet` it says nothing."""
    if quiet:
        yield NoProgress()
    elif output.stderr_is_terminal:
        with _bars() as bars:
            yield _BarProgress(bars, words)
    else:
        yield _LineProgress(output, name, words)


@contextmanager
def file_progress(
    output: Output, *, quiet: bool
) -> Iterator[Callable[[str, int, int | None], None]]:
    """Give a bar for each file that is worked on here, on a terminal; nothing elsewhere.

    What it gives hears of a file by name, and of how many bytes of how many are done; None where
    nobody knows how many there will be, nor how long it will take.
    """
    if quiet or not output.stderr_is_terminal:
        yield lambda *_: None
        return
    tasks: dict[str, TaskID] = {}
    rates: dict[str, _Rate] = {}
    with _bars() as bars:

        def tell(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(printable_line(name), total=total, pace="")
                rates[name] = _Rate(done)
            pace = "" if total is None else rates[name].pace(done, total)
            if pace is None:
                pace = rates[name].overall(done)
            bars.update(tasks[name], completed=done, total=total, pace=pace)

        yield tell


class _LineProgress:
    """A line for each blob that has arrived: what a log wants.

    One that takes longer than a second is told of when it does, and every half a minute how far
    it is: who watches a log for signs of life, as build servers do, sees some.
    """

    def __init__(self, output: Output, name: str, words: Direction) -> None:
        self._output = output
        self._name = name
        self._words = words
        self._rates: dict[Digest, _Rate] = {}
        self._due: dict[Digest, float] = {}
        self._is_told: set[Digest] = set()

    def expect(self, size: int) -> None:
        """Say nothing: each blob has a line of its own."""

    def begin(self, blob: Descriptor, present: int) -> None:
        """Note that `blob` is under way; that some of it is there already, a notice says."""
        self._rates[blob.digest] = _Rate(present)
        self._due[blob.digest] = time.monotonic() + _TOLD_AFTER_SECONDS

    def update(self, blob: Descriptor, present: int) -> None:
        """Say, now and then, how far `blob` is."""
        pace = self._rates[blob.digest].pace(present, blob.size)
        now = time.monotonic()
        if now < self._due[blob.digest]:
            return
        self._due[blob.digest] = now + _TOLD_EVERY_SECONDS
        if blob.digest not in self._is_told:
            self._is_told.add(blob.digest)
            self.notice(f"{self._words.begun} {blob.digest.short} ({format_size(blob.size)})")
            return
        moved = f"{format_size(present)} of {format_size(blob.size)}"
        pace = self._words.moved if pace is None else pace
        self.notice(f"{blob.digest.short}: {moved}{pace and f', {pace}'}")

    def end(self, blob: Descriptor) -> None:
        """Say that `blob` has arrived."""
        what = f"{blob.digest.short} ({format_size(blob.size)})"
        self.notice(f"{what} {self._words.ended}")

    def notice(self, text: str) -> None:
        """Print it."""
        self._output.notice(f"{self._name}: {text}")


class _BarProgress:
    """A bar for each blob, with bytes, rate and time left."""

    def __init__(self, bars: RichProgress, words: Direction) -> None:
        self._bars = bars
        self._words = words
        self._tasks: dict[Digest, TaskID] = {}
        self._rates: dict[Digest, _Rate] = {}

    def expect(self, size: int) -> None:
        """Say nothing: each blob has a bar of its own."""

    def begin(self, blob: Descriptor, present: int) -> None:
        """Add a bar for `blob`, as full as it is."""
        self._tasks[blob.digest] = self._bars.add_task(
            blob.digest.short, total=blob.size, completed=present, pace=""
        )
        self._rates[blob.digest] = _Rate(present)

    def update(self, blob: Descriptor, present: int) -> None:
        """Move the bar of `blob`; full, it says what is still to come."""
        pace = self._rates[blob.digest].pace(present, blob.size)
        self._bars.update(
            self._tasks[blob.digest],
            completed=present,
            pace=self._words.moved if pace is None else pace,
        )

    def end(self, blob: Descriptor) -> None:
        """Fill the bar of `blob`, also when another process fetched it meanwhile."""
        pace = self._rates[blob.digest].overall(blob.size)
        self._bars.update(self._tasks[blob.digest], completed=blob.size, pace=pace)

    def notice(self, text: str) -> None:
        """Print it above the bars."""
        self._bars.console.print(printable_line(text), markup=False, highlight=False)


class _Rate:
    """How fast a blob comes: over the last seconds while it does, and over all at its end.

    A stall shows as one, and what came before it does not count for long.
    """

    def __init__(self, present: int) -> None:
        self._began = time.monotonic()
        self._present = present
        self._seen = deque([(self._began, present)])

    def pace(self, present: int, size: int) -> str | None:
        """Return the rate and the time left, as text, when `present` of `size` bytes are there.

        None when all are.
        """
        now = time.monotonic()
        self._seen.append((now, present))
        while now - self._seen[0][0] > _RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        then, before = self._seen[0]
        if present == size:
            return None
        if now - then < _KNOWN_SECONDS:
            return ""
        rate = (present - before) / (now - then)
        if rate < 1:
            return "waiting"
        return f"{format_size(int(rate))}/s, {clock((size - present) / rate)} left"

    def overall(self, size: int) -> str:
        """Return the rate and the time that it took, as text."""
        seconds = time.monotonic() - self._began
        came = size - self._present
        if seconds < _KNOWN_SECONDS or not came:
            return "done"
        return f"{format_size(int(came / seconds))}/s, {clock(seconds)}"


def clock(seconds: float) -> str:
    """Return `seconds` as minutes and seconds, with hours where there are some."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _bars() -> RichProgress:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    return Progress(*bar_columns(console.width), console=console)


def bar_columns(screen: int) -> list[ProgressColumn]:
    """Return the parts of a transfer's bar that fit in `screen` columns."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn
    from rich.table import Column

    parts = [
        Part(TextColumn("{task.description}"), 12),
        Part(BarColumn(bar_width=20), 20),
        Part(DownloadColumn(table_column=Column(no_wrap=True)), 15),
        Part(TextColumn("{task.fields[pace]}"), 21),
    ]
    return fitting(parts, (1, 0, 3), screen)
