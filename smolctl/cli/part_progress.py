"""Which part of a long text is worked on: one line on a terminal's stderr, gone in the end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.cli.output import Output

_LINE_START = "\r\x1b[K"
"""Goes to the line's beginning, and erases the line."""


@contextmanager
def part_progress(output: Output) -> Iterator[Callable[[int, int], object]]:
    """Give a function that is told the number of the part that comes, and how many there are."""
    if not output.stderr_is_terminal:
        yield lambda *_: None
        return

    def show(number: int, count: int) -> None:
        sys.stderr.write(f"{_LINE_START}part {number} of {count}")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(_LINE_START)
        sys.stderr.flush()
