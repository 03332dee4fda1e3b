"""The keyboard while an answer comes: what is typed then is not shown, and waits for the prompt."""

from __future__ import annotations

import sys
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASTES, _NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"
"""Whether the terminal marks where a paste begins and ends: its lines are one message."""

_INPUT, _LOCAL = 0, 3  # indices in what tcgetattr gives


@contextmanager
def typing_hidden(*, lines: bool) -> Iterator[None]:
    """Have the terminal not show what is typed in the block, and keep it for who reads next.

    With `lines` that one reads lines; else it reads keys, and gets them as they were typed (a
    terminal that makes lines keeps an unfinished one to itself), with what is pasted marked as it
    is at a prompt. Ctrl-C stays a signal.
    """
    try:
        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
    except (OSError, ValueError, AttributeError, termios.error):  # no terminal
        yield
        return
    hidden = [*before]
    hidden[_LOCAL] &= ~termios.ECHO
    hidden[_LOCAL] |= termios.NOFLSH  # Ctrl-C stops the answer, and not what is typed meanwhile
    if not lines:
        hidden[_LOCAL] &= ~termios.ICANON
        hidden[_INPUT] &= ~termios.ICRNL
    try:
        termios.tcsetattr(handle, termios.TCSANOW, hidden)
        if not lines:
            _tell_terminal(_PASTES)
        yield
    finally:
        with suppress(termios.error, OSError):  # the terminal may be gone
            termios.tcsetattr(handle, termios.TCSANOW, before)
            if not lines:
                _tell_terminal(_NO_PASTES)


def _tell_terminal(code: str) -> None:
    sys.stdout.write(code)
    sys.stdout.flush()
