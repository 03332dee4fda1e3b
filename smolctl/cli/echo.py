"""What a person types while the terminal is written to: not shown, and not lost."""

from __future__ import annotations

import os
import termios
from typing import Any, TextIO

LOCAL_FLAGS = 3
"""Where `termios.tcgetattr` has the flags that ECHO is one of."""

_INPUT_FLAGS = 0


class Echo:
    """The echo of what is typed on the terminal behind `stream`. Letters amid a painting tear it.

    While it is off, they wait in the terminal for whoever reads next. Ctrl-C works as ever, without
    its `^C`. With `keys` who reads next reads keys, and gets them as they were typed: a terminal
    that makes lines keeps an unfinished one to itself.
    """

    def __init__(self, stream: TextIO, *, keys: bool = False) -> None:
        self._stream = stream
        self._keys = keys
        self._before: list[Any] | None = None

    def off(self) -> bool:
        """Turn it off, where there is a terminal. Returns whether it is off."""
        if self._before is not None:
            return True
        try:
            terminal = self._stream.fileno()
            if not self._keys and _in_background(terminal):
                return False
            before = termios.tcgetattr(terminal)
            changed = list(before)
            changed[LOCAL_FLAGS] &= ~termios.ECHO
            changed[LOCAL_FLAGS] |= termios.NOFLSH  # Ctrl-C drops nothing of what was typed
            if self._keys:
                changed[LOCAL_FLAGS] &= ~termios.ICANON
                changed[_INPUT_FLAGS] &= ~termios.ICRNL
            termios.tcsetattr(terminal, termios.TCSANOW, changed)
        except (OSError, ValueError, AttributeError, termios.error):  # no terminal
            return False
        self._before = before
        return True

    def restore(self) -> bool:
        """Make the terminal as it was. Returns whether it was changed, and could be."""
        before, self._before = self._before, None
        if before is None:
            return False
        try:
            terminal = self._stream.fileno()
            if not self._keys and _in_background(terminal):
                return False
            termios.tcsetattr(terminal, termios.TCSANOW, before)
        except (OSError, ValueError, termios.error):  # the terminal is gone
            return False
        return True


def _in_background(terminal: int) -> bool:
    """Whether this process would be stopped for changing the terminal. A chat is to be."""
    return os.tcgetpgrp(terminal) != os.getpgrp()
