"""How Markdown's blocks look: lines for a terminal of some width."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.cli.markdown.code import Highlighter
from smolctl.cli.markdown.inline import parse
from smolctl.cli.markdown.spans import (
    BOLD,
    DIM,
    ITALIC,
    UNDERLINE,
    Line,
    Span,
    columns,
    stripped,
    wrap,
)
from smolctl.cli.markdown.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.markdown.blocks import Container, Path
    from smolctl.cli.markdown.spans import Style

_HEADINGS: tuple[Style, ...] = (
    (),
    (BOLD, UNDERLINE),
    (BOLD,),
    (BOLD, ITALIC),
    (ITALIC,),
    (ITALIC,),
    (ITALIC,),
)
_RULE_COLUMNS = 40


@dataclass(frozen=True)
class Look:
    """What the terminal can show: colours, and more signs than ASCII has."""

    colour: bool = True
    signs: bool = True

    @property
    def bar(self) -> str:
        """What stands before a quote."""
        return "\u2502 " if self.signs else "| "

    @property
    def across(self) -> str:
        """What a line across is made of."""
        return "\u2500" if self.signs else "-"

    def marker(self, container: Container, depth: int) -> str:
        """Return what stands before an item, inside `depth` other lists."""
        if container.kind in ".)":
            before = f"{container.number}{container.kind} "
        else:
            before = "\u2022\u25e6"[depth % 2] + " " if self.signs else "- "
        if container.task is None:
            return before
        done = container.task != " "
        box = "\u2610\u2611"[done] if self.signs else "[ ]" if not done else "[x]"
        return f"{box} " if container.kind not in ".)" else f"{before}{box} "


class TerminalLayout:
    """Makes lines of the blocks it is told of: `blocks.Layout`.

    `lines` has what is finished. `columns` may change at any time, for what comes then.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self.columns = 80
        self.lines: list[Line] = []
        self._path: Path = ()
        """What the last line was inside of."""

        self._last = ""
        """What the last block was; nothing yet at the beginning."""

        self._gap = False
        self._carried: list[Span] = []
        """The last row of a paragraph that goes on."""

        self._code: Highlighter | None = None
        self._table: Table | None = None
        self._table_path: Path = ()

    def copy(self) -> TerminalLayout:
        """Return one that goes on from here, with no lines yet, without changing this one."""
        made = copy.copy(self)
        made.lines = []
        made._code = self._code and self._code.copy()
        made._table = self._table and self._table.copy()
        return made

    def text(
        self, path: Path, source: str, level: int, *, first: bool, last: bool, ended: bool
    ) -> None:
        """Take a paragraph (`level` 0), a heading (1 to 6), or a part of a paragraph."""
        spans = parse(source, ended=ended, colour=self._look.colour)
        if level:
            spans = [Span(text, (*_HEADINGS[level], *style)) for text, style in spans]
        if first:
            if not any(span.text.strip() for span in spans):
                return
            self._begin(path, "heading" if level else "text")
        rows = wrap([*self._carried, *spans], self._width(path))
        self._carried = [] if last else rows.pop()
        for row in rows:
            self._emit(path, row)

    def code_begins(self, path: Path, language: str) -> None:
        """Take note that code begins."""
        self._begin(path, "code")
        self._code = Highlighter(language)

    def code(self, path: Path, line: str) -> None:
        """Take a line of code."""
        assert self._code is not None  # noqa: S101 - it has begun
        self._emit(path, self._code.line(line), whole=True)

    def code_ends(self) -> None:
        """Take note that the code is over."""
        self._code = None

    def table_begins(self, path: Path, alignment: Sequence[str], header: Sequence[str]) -> None:
        """Take the head of a table."""
        self._begin(path, "table")
        self._table_path = path
        self._table = Table(self._look.across, alignment, [self._cell(each) for each in header])

    def row(self, cells: Sequence[str], *, ended: bool) -> None:
        """Take a row of the table."""
        assert self._table is not None  # noqa: S101 - it has begun
        self._table.add([self._cell(each, ended=ended) for each in cells])
        self._show_table()

    def table_ends(self) -> None:
        """Take note that the table is over."""
        self._show_table(last=True)
        self._table = None

    def rule(self, path: Path) -> None:
        """Take a line across."""
        self._begin(path, "rule")
        self._emit(path, [Span(self._look.across * min(_RULE_COLUMNS, self._width(path)), (DIM,))])

    def blank(self) -> None:
        """Take note of an empty line between blocks."""
        self._gap = True

    def item_ends(self, path: Path) -> None:
        """Take note that the item at the end of `path` is over; it may have been empty."""
        if path[-1].marker and path[-1] not in self._path:
            self._begin(path, "text")
            self._emit(path, [])

    def _cell(self, source: str, *, ended: bool = True) -> list[Span]:
        # There is no other way to break a line in a cell, and models use it.
        parts = source.replace("<br/>", "<br>").replace("<br />", "<br>").split("<br>")
        spans: list[Span] = []
        for number, part in enumerate(parts):
            if number:
                spans.append(Span("\n"))
            spans += parse(part.strip(), ended=ended, colour=self._look.colour)
        return spans

    def _show_table(self, *, last: bool = False) -> None:
        assert self._table is not None  # noqa: S101 - it has begun
        for row in self._table.rows(self._width(self._table_path), last=last):
            self._emit(self._table_path, row)

    def _begin(self, path: Path, kind: str) -> None:
        """Leave a line empty before a block where the text did, and around what stands apart."""
        apart = kind in ("heading", "code", "table", "rule") or self._last in (
            "code",
            "table",
            "rule",
        )
        if self._last and (self._gap or apart):
            shared = [each for each in self._path if each in path]
            spans = self._prefix(tuple(shared), fresh=False)
            self.lines.append(Line(stripped(spans)))
        self._gap = False
        self._last = kind

    def _emit(self, path: Path, spans: Sequence[Span], *, whole: bool = False) -> None:
        spans = stripped([*self._prefix(path), *spans])
        self.lines.append(Line(spans, whole))
        self._path = path

    def _width(self, path: Path) -> int:
        return max(1, self.columns - columns("".join(s.text for s in self._prefix(path))))

    def _prefix(self, path: Path, *, fresh: bool = True) -> list[Span]:
        """Return what stands before a line inside of `path`; at most half of the width."""
        spans = []
        room = self.columns // 2
        depth = 0
        for container in path:
            if not container.marker:
                span = Span(self._look.bar, (DIM,))
            else:
                marker = self._look.marker(container, depth)
                depth += 1
                shown = not fresh or container in self._path
                span = Span(" " * columns(marker) if shown else marker)
            room -= columns(span.text)
            if room < 0:
                break
            spans.append(span)
        return spans
