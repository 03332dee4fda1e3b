"""A shell on a terminal of its own, with nobody's configuration, and a person's keys."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import time
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LIMIT_SECONDS = 30
_COLUMNS, _ROWS = 160, 60


class InteractiveShell:
    """A shell that draws on an emulated screen."""

    def __init__(self, line: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
        self._screen = pyte.Screen(_COLUMNS, _ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(line[0], list(line), {**environment, "TERM": "xterm"})
        ioctl(self._terminal, TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, wanted: str | Callable[[str], bool]) -> str:
        """Return the screen once it shows the text, or is as wanted."""
        end = time.monotonic() + _LIMIT_SECONDS
        while True:
            shown = self.screen
            if wanted in shown if isinstance(wanted, str) else wanted(shown):
                return shown
            ready, _, _ = select.select([self._terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{wanted!r} did not come; the screen shows\n{shown}"
            try:
                self._stream.feed(os.read(self._terminal, 65536))
            except OSError:
                raise AssertionError(f"the shell ended, and shows\n{self.screen}") from None

    @property
    def screen(self) -> str:
        """What the screen shows, without the blank part below."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def close(self) -> None:
        """End the shell."""
        os.close(self._terminal)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
