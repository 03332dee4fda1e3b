"""Markdown's blocks, read a line at a time.

Each line is looked at once, and what it ended is told at once, so that a long text takes no longer
for a line than a short one. It follows CommonMark 0.31 and GitHub's tables and task lists, save
for what only a later line could decide about lines long shown: an address defined elsewhere
(`[name]: address`) is text, and of headings underlined with `===` only those of one line are.
HTML is text as well.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from smolctl.cli.markdown.inline import is_settled

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG = 160
"""Letters of a paragraph that are shown for good as soon as nothing can change them any more."""

_HOPELESS = 8 * LONG
"""Letters after which a paragraph's beginning stays as it is, whatever its open marks become."""

_DEEPEST = 12
"""Quotes and lists inside each other; what is deeper is text."""

_LEADING = re.compile(r"[\s>*+\-\d.)]*")
_QUOTE = re.compile(r">( ?)")
_HEADING = re.compile(r"(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")
_RULE = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_UNDERLINE = re.compile(r"(=+|-+)[ \t]*$")
_ITEM = re.compile(r"([-+*]|(\d{1,9})[.)])( +|$)")
_TASK = re.compile(r"\[([ xX])\] +(?=\S)")
_DELIMITERS = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_PIPE = re.compile(r"(?<!\\)\|")
_UNDECIDED = re.compile(r"[-+*_=#~`|:\s]+$|\d{1,9}[.)]?$|(?:[-+*]|\d{1,9}[.)])\s+\[[ xX]?\]?\s*$")
"""What the beginning of a line is before anybody can tell what the line will be."""


@dataclass(frozen=True, eq=False)
class Container:
    """A quote or an item of a list, open: `indent` columns belong to it. A quote has no marker."""

    marker: str = ""
    indent: int = 0
    number: int = 0
    task: str | None = None

    @property
    def kind(self) -> str:
        """What its siblings share: the mark of a list."""
        return self.marker[-1:]


Path = tuple[Container, ...]


class Layout(Protocol):
    """What is told of the blocks. `path` is what a block is inside of, from the outermost on."""

    def text(
        self, path: Path, source: str, level: int, *, first: bool, last: bool, ended: bool
    ) -> None:
        """Take a paragraph (`level` 0), a heading (1 to 6), or a part of a paragraph."""

    def code_begins(self, path: Path, language: str) -> None:
        """Take note that code begins."""

    def code(self, path: Path, line: str) -> None:
        """Take a line of code."""

    def code_ends(self) -> None:
        """Take note that the code is over."""

    def table_begins(self, path: Path, alignment: Sequence[str], header: Sequence[str]) -> None:
        """Take the head of a table; each column's alignment is `left`, `right` or `center`."""

    def row(self, cells: Sequence[str], *, ended: bool) -> None:
        """Take a row of the table."""

    def table_ends(self) -> None:
        """Take note that the table is over."""

    def rule(self, path: Path) -> None:
        """Take a line across."""

    def blank(self) -> None:
        """Take note of an empty line between blocks."""

    def item_ends(self, path: Path) -> None:
        """Take note that the item at the end of `path` is over; it may have been empty."""


@dataclass
class _Paragraph:
    source: str
    lines: int = 1
    begun: bool = False
    at: int = 0
    """Where its last line begins in `source`."""

    pieces: bool = False
    """Whether its last line came in pieces."""

    enough: int = LONG
    """How long it is when it is worth a look whether some of it can be told of."""


@dataclass
class _Code:
    fence: str = ""
    indent: int = 0
    """Columns before its fence."""

    blanks: list[str] = field(default_factory=list)
    """Empty lines that belong to it if more of it follows; of code without a fence."""


@dataclass
class _Table:
    columns: int


class Blocks:
    """Reads lines, and tells a `Layout` of the blocks that they make."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._stack: list[Container] = []
        self._leaf: _Paragraph | _Code | _Table | None = None
        self._empty = False
        """Whether the innermost item has had nothing in it but the rest of its marker's line."""

    def copy(self, layout: Layout) -> Blocks:
        """Return a reader that goes on from here and tells `layout`, without changing this one."""
        made = copy.copy(self)
        made._layout = layout
        made._stack = list(self._stack)
        made._leaf = copy.copy(self._leaf)
        if isinstance(made._leaf, _Code):
            made._leaf.blanks = list(made._leaf.blanks)
        return made

    @property
    def in_paragraph(self) -> bool:
        """Whether what was read last is part of a paragraph, which takes pieces of a line."""
        return isinstance(self._leaf, _Paragraph)

    def piece(self, text: str) -> None:
        """Read more of the line that was read last; it must be part of a paragraph."""
        assert isinstance(self._leaf, _Paragraph)  # noqa: S101 - the caller has asked
        self._extend(self._leaf, text)
        self._leaf.pieces = True

    def end(self, *, ended: bool = True) -> None:
        """Tell of what is open. With `ended` false it may go on: it is shown as it is so far."""
        leaf = self._leaf
        if not ended and isinstance(leaf, _Paragraph) and not leaf.pieces:
            header = leaf.source[leaf.at :]
            if header.startswith("|") and len(header) > 1:
                # What begins so will be a table.
                self._begin_table(leaf, header, ["left"] * len(_cells(header)))
        self._close(0, ended=ended)

    def line(self, text: str, *, ended: bool = True) -> None:
        """Read a line, or with `ended` false the beginning of one."""
        leading = _LEADING.match(text)
        if leading and "\t" in leading[0]:
            text = leading[0].expandtabs(4) + text[leading.end() :]
        matched, rest = self._match(text)
        if matched == len(self._stack) and isinstance(self._leaf, _Code) and self._leaf.fence:
            self._fenced(self._leaf, rest, ended=ended)
            return
        if not ended and (not rest.strip() or _UNDECIDED.match(rest.lstrip())):
            return
        self._open(matched, rest, ended=ended)

    def _match(self, text: str) -> tuple[int, str]:
        """Return how many of the open containers `text` is inside of, and the rest of it."""
        for index, container in enumerate(self._stack):
            bare = text.lstrip(" ")
            indent = len(text) - len(bare)
            if not container.marker:
                quote = _QUOTE.match(bare) if indent < 4 else None
                if quote is None:
                    return index, text
                text = bare[quote.end() :]
            elif not bare:
                if self._empty and index == len(self._stack) - 1:
                    return index, text  # what begins with two empty lines is empty
                text = ""
            elif indent >= container.indent:
                text = text[container.indent :]
            else:
                return index, text
        return len(self._stack), text

    def _open(self, matched: int, rest: str, *, ended: bool) -> None:
        """Open what `rest` begins, and put what is left of it there."""
        lazy = isinstance(self._leaf, _Paragraph)  # the paragraph may go on with this line
        whole = matched == len(self._stack)
        while bare := rest.lstrip(" "):
            indent = len(rest) - len(bare)
            if indent > 3:
                break
            if lazy and whole and self._changes_paragraph(bare):
                return
            deeper = len(self._stack[:matched]) < _DEEPEST
            if deeper and (quote := _QUOTE.match(bare)):
                self._close(matched)
                self._stack.append(Container())
                rest = bare[quote.end() :]
            elif self._is_leaf(bare, indent, matched, ended=ended):
                return
            elif deeper and (item := _ITEM.match(bare)) and self._is_item(item, lazy and whole):
                rest = self._begin_item(item, bare, indent, matched)
            else:
                break
            matched = len(self._stack)
            lazy = False
        if not bare:
            self._blank(matched)
        elif lazy and isinstance(self._leaf, _Paragraph):
            # Also when a quote's mark is missing: CommonMark's lazy continuation.
            self._leaf.at = self._extend(self._leaf, "\n", bare.rstrip())
            self._leaf.lines += 1
            self._leaf.pieces = False
        else:
            self._close(matched, leaf=False)
            self._content(bare, len(rest) - len(bare), ended=ended)

    def _content(self, bare: str, indent: int, *, ended: bool) -> None:
        """Put a line that begins nothing else where it belongs."""
        self._empty = False
        path = tuple(self._stack)
        if isinstance(self._leaf, _Table) and indent <= 3:  # what is further right is code
            self._row(self._leaf, bare, ended=ended)
        elif indent > 3:
            if not isinstance(self._leaf, _Code):
                self._close(len(self._stack))
                self._leaf = _Code()
                self._layout.code_begins(path, "")
            for blank in self._leaf.blanks:
                self._layout.code(path, blank)
            self._leaf.blanks.clear()
            self._layout.code(path, " " * (indent - 4) + bare)
        else:
            self._close(len(self._stack))
            self._leaf = _Paragraph(bare.rstrip() if ended else bare)

    def _blank(self, matched: int) -> None:
        if isinstance(self._leaf, _Code) and matched == len(self._stack):
            self._leaf.blanks.append("")
        else:
            self._close(matched)
            self._empty = self._empty and bool(self._stack)
            self._layout.blank()

    def _changes_paragraph(self, bare: str) -> bool:
        """Make the open paragraph a heading or the head of a table where `bare` says so."""
        leaf = self._leaf
        if not isinstance(leaf, _Paragraph):
            return False
        if leaf.pieces or (leaf.begun and not leaf.source[leaf.at :]):
            return False
        if leaf.lines == 1 and not leaf.begun and (underline := _UNDERLINE.match(bare)):
            self._leaf = None
            self._text(leaf.source, 1 if underline[1][0] == "=" else 2)
            return True
        header = leaf.source[leaf.at :].removeprefix("\n")
        if not _DELIMITERS.match(bare) or not ("|" in header or "|" in bare):
            return False
        delimiters = _cells(bare)
        if len(delimiters) != len(_cells(header)):
            return False
        self._begin_table(leaf, header, [_alignment(each) for each in delimiters])
        return True

    def _begin_table(self, leaf: _Paragraph, header: str, alignment: list[str]) -> None:
        path = tuple(self._stack)
        before = leaf.source[: leaf.at]
        if before or leaf.begun:
            self._layout.text(path, before, 0, first=not leaf.begun, last=True, ended=True)
        self._leaf = _Table(len(alignment))
        self._layout.table_begins(path, alignment, _cells(header))

    def _is_leaf(self, bare: str, indent: int, matched: int, *, ended: bool) -> bool:
        """Take `bare` as a heading, a rule or the beginning of a fence, if it is one."""
        if heading := _HEADING.match(bare):
            self._close(matched)
            self._text(heading[2] or "", len(heading[1]), ended=ended)
        elif fence := _FENCE.match(bare):
            self._close(matched)
            mark = fence[1] or fence[3]
            self._leaf = _Code(mark, indent)
            words = (fence[2] or fence[4] or "").split()
            self._layout.code_begins(tuple(self._stack), words[0] if words and ended else "")
        elif _RULE.match(bare):
            self._close(matched)
            self._layout.rule(tuple(self._stack))
        else:
            return False
        self._empty = False
        return True

    def _text(self, source: str, level: int, *, ended: bool = True) -> None:
        self._empty = False
        path = tuple(self._stack)
        self._layout.text(path, source, level, first=True, last=True, ended=ended)

    @staticmethod
    def _is_item(item: re.Match[str], interrupts: bool) -> bool:
        """Whether it begins an item. One that ends a paragraph is not empty, and the first."""
        empty = item.end() == len(item.string.rstrip())
        return not interrupts or (not empty and (item[2] is None or int(item[2]) == 1))

    def _begin_item(self, item: re.Match[str], bare: str, indent: int, matched: int) -> str:
        """Open an item of a list; returns what follows its marker."""
        before = self._stack[matched] if matched < len(self._stack) else None
        self._close(matched)
        marker = item[1]
        number = int(item[2] or 0)
        if before is not None and before.kind == marker[-1]:
            number = before.number + 1
        spaces = len(item[3])
        rest = bare[item.end() :]
        if not rest or spaces > 4:  # the code, or nothing, after it begins a column further
            rest = " " * (spaces - 1) + rest
            spaces = 1
        task = _TASK.match(rest)
        if task:
            rest = rest[task.end() :]
        self._stack.append(
            Container(marker, indent + len(marker) + spaces, number, task[1] if task else None)
        )
        self._empty = not rest.strip()
        return rest

    def _fenced(self, leaf: _Code, rest: str, *, ended: bool) -> None:
        bare = rest.strip(" \t")
        marks = set(bare) == {leaf.fence[0]} and len(rest) - len(rest.lstrip(" ")) < 4
        if marks and len(bare) >= len(leaf.fence):
            self._close(len(self._stack))
        elif ended or (rest and not marks):
            # The line is as far to the right as the fence was.
            spaces = len(rest) - len(rest.lstrip(" "))
            self._layout.code(tuple(self._stack), rest[min(spaces, leaf.indent) :])

    def _row(self, leaf: _Table, bare: str, *, ended: bool) -> None:
        cells = _cells(bare)[: leaf.columns]
        self._layout.row([*cells, *[""] * (leaf.columns - len(cells))], ended=ended)

    def _extend(self, leaf: _Paragraph, joint: str, text: str = "") -> int:
        """Add to a paragraph, and return where that begins; tell of what can no longer change."""
        if len(leaf.source) >= leaf.enough:
            if len(leaf.source) >= _HOPELESS or is_settled(leaf.source):
                path = tuple(self._stack)
                first = not leaf.begun
                self._layout.text(path, leaf.source, 0, first=first, last=False, ended=True)
                leaf.source, leaf.begun, leaf.enough = "", True, LONG
            else:
                leaf.enough = len(leaf.source) + LONG  # looking costs as much as it is long
        leaf.source += joint
        at = len(leaf.source)
        leaf.source += text
        return at

    def _close(self, depth: int, *, leaf: bool = True, ended: bool = True) -> None:
        """Close the containers inside the first `depth` ones, and what is open in them."""
        if leaf or depth < len(self._stack):
            self._close_leaf(ended=ended)
        while len(self._stack) > depth:
            self._layout.item_ends(tuple(self._stack))
            self._stack.pop()
            self._empty = False

    def _close_leaf(self, *, ended: bool) -> None:
        leaf, self._leaf = self._leaf, None
        if isinstance(leaf, _Paragraph):
            path = tuple(self._stack)
            first = not leaf.begun
            self._layout.text(path, leaf.source, 0, first=first, last=True, ended=ended)
        elif isinstance(leaf, _Code):
            self._layout.code_ends()
            if leaf.blanks:
                self._layout.blank()
        elif isinstance(leaf, _Table):
            self._layout.table_ends()


def _cells(row: str) -> list[str]:
    row = row.strip().removeprefix("|")
    cells = _PIPE.split(row)
    if len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _alignment(delimiter: str) -> str:
    right, left = delimiter.endswith(":"), delimiter.startswith(":")
    return "center" if right and left else "right" if right else "left"
