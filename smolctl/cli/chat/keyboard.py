"""The keyboard while an answer comes: what is typed then is not shown, and waits for the prompt."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from smolctl.cli.echo import Echo

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASTES, _NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"
"""Whether the terminal marks where a paste begins and ends: its lines are one message."""


@contextmanager
def typing_hidden(*, lines: bool) -> Iterator[None]:
    """Have the terminal not show what is typed in the block, and keep it for who reads next.

    With `lines` that one reads lines; else it reads keys, and what is pasted is marked as it is at
    a prompt. Ctrl-C stays a signal.
    """
    echo = Echo(sys.stdin, keys=not lines)
    try:
        if echo.off() and not lines:
            _tell_terminal(_PASTES)
        yield
    finally:
        if echo.restore() and not lines:
            with suppress(OSError):  # the terminal may be gone
                _tell_terminal(_NO_PASTES)


def _tell_terminal(code: str) -> None:
    sys.stdout.write(code)
    sys.stdout.flush()
