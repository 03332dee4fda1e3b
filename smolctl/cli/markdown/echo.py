"""What a person types while something is painted: not shown, and not lost."""

from __future__ import annotations

import os
import sys
import termios
from typing import Any

_LOCAL_FLAGS = 3


class Echo:
    """The terminal's echo of what is typed. Letters amid the painting would tear it.

    They wait in the terminal for whoever reads next. Ctrl-C works as ever, without its `^C`.
    """

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        self._terminal = -1

    def off(self) -> None:
        """Turn it off, where stdout is a terminal of ours."""
        if self._before is not None:
            return
        try:
            terminal = sys.stdout.fileno()
            if os.tcgetpgrp(terminal) != os.getpgrp():
                return  # a process in the background that changes the terminal is stopped
            before = termios.tcgetattr(terminal)
            changed = list(before)
            changed[_LOCAL_FLAGS] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSANOW, changed)
        except (OSError, ValueError, termios.error):
            return
        self._before, self._terminal = before, terminal

    def restore(self) -> None:
        """Make the terminal as it was."""
        before, self._before = self._before, None
        try:
            if before is not None and os.tcgetpgrp(self._terminal) == os.getpgrp():
                termios.tcsetattr(self._terminal, termios.TCSANOW, before)
        except (OSError, termios.error):
            pass  # the terminal is gone
