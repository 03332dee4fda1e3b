"""A terminal that is looked at: pyte's, with all that scrolled off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyte

from smolctl.cli.markdown.document import Document
from smolctl.cli.markdown.layout import Look
from smolctl.cli.markdown.screen import Screen, _chopped
from smolctl.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from smolctl.cli.markdown.spans import Line


class Terminal(Output):
    """Draws on a screen of `columns` and `lines`, in place of stdout."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(columns, lines, history=100_000)
        self._stream = pyte.Stream(self.screen)
        self.drawn: list[str] = []

    def draw(self, text: str) -> None:
        self.drawn.append(text)
        self._stream.feed(text)

    @property
    def size(self) -> tuple[int, int]:
        return self.screen.columns, self.screen.lines

    @property
    def rows(self) -> list[str]:
        """All rows, from the first that scrolled off, without the empty ones at the end."""
        columns = range(self.screen.columns)
        buffer = [self.screen.buffer[number] for number in range(self.screen.lines)]
        rows = [
            "".join(row[column].data for column in columns).rstrip()
            for row in (*self.screen.history.top, *buffer)
        ]
        while rows and not rows[-1]:
            rows.pop()
        return rows


class Answer:
    """An answer painted on a terminal."""

    def __init__(self, terminal: Terminal, *, colour: bool = True) -> None:
        self._terminal = terminal
        self._document = Document(Look(colour))
        self._screen = Screen(terminal, colour=colour)
        self.finished: list[Line] = []
        self.tail: list[Line] = []

    def feed(self, text: str) -> None:
        size = self._terminal.size
        finished = self._document.feed(text, size[0])
        self.finished += finished
        self.tail = self._document.tail(size[0])
        self._screen.paint(finished, self.tail, size)

    def finish(self) -> None:
        size = self._terminal.size
        finished = self._document.end(size[0])
        self.finished += finished
        self.tail = []
        self._screen.paint(finished, [], size)
        self._screen.close()

    def leave(self) -> None:
        self._screen.leave()

    @property
    def expected(self) -> list[str]:
        """The rows that should be there: all that are finished, and those that fit of the rest."""
        columns, lines = self._terminal.size
        tail = rows(self.tail, columns)[-max(1, lines - 1) :]
        made = [*rows(self.finished, columns), *tail]
        while made and not made[-1]:
            made.pop()
        return made


def rows(lines: Iterable[Line], columns: int) -> list[str]:
    """What `lines` are on a screen."""
    return [
        "".join(span.text for span in row).rstrip()
        for line in lines
        for row in (_chopped(line, columns) if line.whole else [line.spans])
    ]


def rendered(text: str, columns: int) -> list[Line]:
    """All lines of a text that is read in one piece."""
    document = Document(Look())
    return document.feed(text, columns) + document.end(columns)


def shown(pieces: Sequence[str], columns: int = 80, lines: int = 24) -> list[str]:
    """The rows of a terminal on which an answer came in `pieces`."""
    terminal = Terminal(columns, lines)
    answer = Answer(terminal)
    for piece in pieces:
        answer.feed(piece)
    answer.finish()
    return terminal.rows
