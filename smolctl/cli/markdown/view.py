"""An answer on a terminal, rendered while it is generated."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future
from itertools import groupby
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING

from smolctl.cli.echo import Echo
from smolctl.cli.markdown.suspension import Suspension
from smolctl.cli.reasoning import ReasoningPrinter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolctl.cli.markdown.document import Document
    from smolctl.cli.markdown.screen import Screen
    from smolctl.cli.output import Output

_INTERVAL_SECONDS = 1 / 30
_LONGEST_SECONDS = 1.0
_SHARE = 20
"""Of this many seconds, painting takes one at most: generating comes first."""


class MarkdownView:
    """Shows one answer as it comes, rendered.

    A thread paints: what comes while it does is painted next, a signal never meets a half-painted
    screen, and what it imports, it imports while the model still thinks.
    """

    def __init__(self, output: Output, *, stream: bool = True) -> None:
        self._output = output
        self._stream = stream
        self._kept: list[str] = []
        self._painter: _Painter | None = _Painter(output)

    def reasoning(self, text: str) -> None:
        """Show more of the reasoning, at once; it goes to stderr."""
        if text:
            self._running().put("reasoning", text)

    def feed(self, text: str) -> None:
        """Show more of the answer, as soon as what came before it is painted."""
        if not text:
            return
        if self._stream:
            self._running().put("answer", text)
        else:
            self._kept.append(text)

    def finish(self) -> None:
        """Show what was held back, and end the last line. Also when it was interrupted."""
        if self._kept:
            self._running().put("answer", "".join(self._kept))
            self._kept = []
        painter, self._painter = self._painter, None
        if painter is not None:
            painter.finish()

    def _running(self) -> _Painter:
        if self._painter is None:
            self._painter = _Painter(self._output)
        return self._painter


class _Painter:
    """The thread that paints one answer."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._echo = Echo(sys.stdout)
        self._suspension = Suspension(self._leave, self._echo.off)
        self._painting = Lock()
        self._changed = Condition()
        self._pieces: list[tuple[str, str]] = []
        self._ending = False
        self._screen: Screen | None = None
        self._done: Future[None] = Future()
        """Has what the thread failed with, for the one that waits for it."""

        Thread(target=self._run, name="markdown", daemon=True).start()

    def put(self, kind: str, text: str) -> None:
        """Hand over more. Raises what the painting failed with, if it did."""
        if self._done.done():
            self._done.result()
        self._suspension.watch()
        with self._changed:
            self._pieces.append((kind, text))
            self._changed.notify()

    def finish(self) -> None:
        """Have the rest painted, and wait for it."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        try:
            self._done.result()
        finally:
            # Also when it was interrupted once more, or the painting failed.
            self._suspension.restore()
            self._echo.restore()
            if self._screen is not None:
                self._screen.close()

    def _leave(self) -> None:
        with self._painting:
            self._echo.restore()
            if self._screen is not None:
                self._screen.leave()

    def _run(self) -> None:
        try:
            self._paint_all()
        except Exception as error:  # noqa: BLE001 - a thread's border: raised where it is waited for
            self._done.set_exception(error)
        else:
            self._done.set_result(None)

    def _paint_all(self) -> None:
        from smolctl.cli.markdown.document import Document
        from smolctl.cli.markdown.layout import Look
        from smolctl.cli.markdown.screen import Screen

        look = Look(colour=self._output.colour, signs=self._output.has_signs)
        self._screen = Screen(self._output, colour=look.colour)
        painting = _Painting(self._output, Document(look), self._screen)
        ending = False
        while not ending:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._ending)
                pieces, self._pieces = self._pieces, []
                ending = self._ending
            began = time.thread_time()
            with self._painting:
                if pieces:
                    self._echo.off()
                painting.show(pieces)
                if ending:
                    painting.end()
            pause = min(_LONGEST_SECONDS, _SHARE * (time.thread_time() - began))
            with self._changed:
                self._changed.wait_for(lambda: self._ending, timeout=max(_INTERVAL_SECONDS, pause))


class _Painting:
    """The answer on the screen, and the reasoning where it is the same terminal's."""

    def __init__(self, output: Output, document: Document, screen: Screen) -> None:
        self._document = document
        self._screen = screen
        self._reasoning = ReasoningPrinter(output)
        self._output = output

    def show(self, pieces: Iterable[tuple[str, str]]) -> None:
        """Show more, in the order in which it came."""
        for kind, group in groupby(pieces, key=lambda piece: piece[0]):
            text = "".join(piece[1] for piece in group)
            if kind == "answer":
                self._answer(text)
            else:
                if self._reasoning.shares_terminal:
                    self._end_answer()
                self._reasoning.show(text)

    def end(self) -> None:
        """Show that no more comes."""
        self._end_answer()
        self._reasoning.end()

    def _answer(self, text: str) -> None:
        if self._reasoning.end() and self._reasoning.shares_terminal:
            self._output.aside("\n")
        size = self._screen.size()
        finished = self._document.feed(text, size[0])
        self._screen.paint(finished, self._document.tail(size[0]), size)

    def _end_answer(self) -> None:
        size = self._screen.size()
        self._screen.paint(self._document.end(size[0]), [], size)
