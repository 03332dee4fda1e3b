"""The progress of a transfer, on stderr: bars for a person, lines at start and end for a log."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.cli.output import printable_line
from smolctl.model.units import format_size
from smolctl.registry.progress import NoProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from smolctl.cli.output import Output
    from smolctl.model.descriptor import Descriptor
    from smolctl.model.digest import Digest
    from smolctl.registry.progress import Progress


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
    """One line when a blob begins and one when it is here: what a log file wants."""

    def __init__(self, output: Output, name: str, words: Direction) -> None:
        self._output = output
        self._name = name
        self._words = words

    def expect(self, size: int) -> None:
        """Say nothing: each blob has a line of its own."""

    def begin(self, blob: Descriptor, present: int) -> None:
        """Say that `blob` is under way; that some of it is there already, a notice says."""
        del present
        what = f"{blob.digest.short} ({format_size(blob.size)})"
        self._output.notice(f"{self._name}: {self._words.begun} {what}")

    def update(self, blob: Descriptor, present: int) -> None:
        """Say nothing: a log wants no moving bar."""

    def end(self, blob: Descriptor) -> None:
        """Say that `blob` has arrived."""
        self._output.notice(f"{self._name}: {blob.digest.short} {self._words.ended}")

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
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True, no_color=bool(os.environ.get("NO_COLOR")) or None)
    return Progress(
        TextColumn("{task.description}"),
        # Not to the terminal's edge: the ^C that a terminal echoes would break the line there.
        BarColumn(bar_width=20),
        DownloadColumn(),
        TextColumn("{task.fields[pace]}"),
        console=console,
    )
