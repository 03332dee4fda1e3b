"""The keyboard while an answer comes: what is typed then is not shown, and waits for the prompt."""

from __future__ import annotations

import sys
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INPUT, _LOCAL = 0, 3  # indices in what tcgetattr gives


@contextmanager
def typing_hidden(*, lines: bool) -> Iterator[None]:
    """Have the terminal not show what is typed in the block, and keep it for who reads next.

    With `lines` that one reads lines; else it reads keys, and gets them as they were typed (a
    terminal that makes lines keeps an unfinished one to itself). Ctrl-C stays a signal.
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
        yield
    finally:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(handle, termios.TCSANOW, before)
