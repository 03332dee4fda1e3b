"""The first fenced code block of an answer, found while the answer comes.

Fences are CommonMark's (three or more backticks or tildes; the closing one is at least as long),
but may be indented as far as models indent them in their lists. The block loses the indentation
that its fence has. One that is never closed goes on to the answer's end.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}(?=[^`]*$)|~{3,})")


class FirstCodeBlock:
    """Takes an answer in pieces, and gives the lines of its first code block."""

    def __init__(self) -> None:
        self.found = False
        self.closed = False
        self._line = ""
        self._indent = 0
        self._closing = re.compile("")

    def feed(self, text: str) -> str:
        """Return what `text`, the answer's next piece, adds to the block: whole lines."""
        *lines, self._line = (self._line + text).split("\n")
        return "".join(self._take(line) for line in lines)

    def finish(self) -> str:
        """Return what the answer's last line adds, which has no end."""
        line, self._line = self._line, ""
        return self._take(line) if line else ""

    def _take(self, line: str) -> str:
        line = line.removesuffix("\r")
        if self.closed:
            return ""
        if not self.found:
            opening = _OPENING.match(line)
            if opening is not None:
                self.found = True
                self._indent = len(opening["indent"])
                fence = opening["fence"]
                self._closing = re.compile(rf"[ \t]*{fence[0]}{{{len(fence)},}}[ \t]*")
            return ""
        if self._closing.fullmatch(line):
            self.closed = True
            return ""
        blank = len(line) - len(line.lstrip(" \t"))
        return line[min(self._indent, blank) :] + "\n"
