"""A Markdown text that is still being written."""

from __future__ import annotations

import re

from smolctl.cli.markdown.blocks import LONG, Blocks
from smolctl.cli.markdown.layout import Look, TerminalLayout
from smolctl.cli.markdown.spans import Line
from smolctl.cli.output import printable

_BREAK = re.compile(r"(?<=[^\s\\]) (?=\S)")


class Document:
    """Takes a text in pieces, and makes lines of it: those that are finished, and the others.

    The lines depend on the text and the width alone, however the text was cut.
    """

    def __init__(self, look: Look) -> None:
        self._layout = TerminalLayout(look)
        self._blocks = Blocks(self._layout)
        self._partial = ""
        """The line that has not ended, or what is left of it."""

        self._begun = False
        """Whether a part of that line was read."""

        self._searched = 0
        """Up to where it has no place to break, or is not to be broken (-1)."""

    def feed(self, text: str, columns: int) -> list[Line]:
        """Take more of the text; returns the lines that it finished, for so many columns."""
        self._layout.columns = columns
        *lines, partial = printable(text).split("\n")
        for line in lines:
            self._partial += line
            self._break()
            self._read()
        self._partial += partial
        self._break()
        return self._finished()

    def tail(self, columns: int) -> list[Line]:
        """Return the lines that more text may still change, as they are now."""
        layout = self._layout.copy()
        layout.columns = columns
        blocks = self._blocks.copy(layout)
        if self._partial:
            if self._begun:
                blocks.piece(self._partial)
            else:
                blocks.line(self._partial, ended=False)
        blocks.end(ended=False)
        return layout.lines

    def end(self, columns: int) -> list[Line]:
        """Return what is left, now that no more comes. A new text may begin afterwards."""
        self._layout.columns = columns
        if self._partial or self._begun:
            self._read()
        self._blocks.end()
        return self._finished()

    def _finished(self) -> list[Line]:
        lines, self._layout.lines = self._layout.lines, []
        return lines

    def _read(self) -> None:
        """Read what is left of the line, which has ended."""
        if self._begun:
            self._blocks.piece(self._partial.rstrip())
        else:
            self._blocks.line(self._partial)
        self._partial, self._begun, self._searched = "", False, 0

    def _break(self) -> None:
        """Read what is long enough of a line that has not ended, if it is a paragraph's."""
        while self._searched >= 0 and len(self._partial) > LONG:
            found = _BREAK.search(self._partial, max(LONG, self._searched))
            if found is None:
                self._searched = len(self._partial) - 2
                return
            piece = self._partial[: found.start()]
            if self._begun:
                self._blocks.piece(piece)
            elif not self._begin(piece):
                self._searched = -1
                return
            self._partial = self._partial[found.start() :]
            self._begun, self._searched = True, 0

    def _begin(self, piece: str) -> bool:
        """Read the beginning of a line, unless all of it must be known."""
        layout = self._layout.copy()
        blocks = self._blocks.copy(layout)
        blocks.line(piece)
        if not blocks.in_paragraph:
            return False
        self._blocks.line(piece)
        return True
