"""Blocks are those that another parser finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import assume, given
from markdown_it import MarkdownIt

from smolctl.cli.markdown.blocks import Blocks
from tests.cli.markdown.texts import blocks
from tests.support.examples import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.markdown.blocks import Path


class Recorder:
    """Keeps what it is told of: where, what, and the text."""

    def __init__(self) -> None:
        self.found: list[list[str]] = []

    def text(
        self, path: Path, source: str, level: int, *, first: bool, last: bool, ended: bool
    ) -> None:
        del last, ended
        if first and (source.strip() or level):
            self.found.append([_where(path), f"h{level}" if level else "p", source])

    def code_begins(self, path: Path, language: str) -> None:
        self.found.append([_where(path), "code", f"{language}\n"])

    def code(self, path: Path, line: str) -> None:
        del path
        self.found[-1][2] += f"{line}\n"

    def code_ends(self) -> None: ...

    def table_begins(self, path: Path, alignment: Sequence[str], header: Sequence[str]) -> None:
        del alignment
        self.found.append([_where(path), "table", "|".join(header)])

    def row(self, cells: Sequence[str], *, ended: bool) -> None:
        del ended
        self.found[-1][2] += "\n" + "|".join(cells)

    def table_ends(self) -> None: ...

    def rule(self, path: Path) -> None:
        self.found.append([_where(path), "rule", ""])

    def blank(self) -> None: ...

    def item_ends(self, path: Path) -> None: ...


def _where(path: Path) -> str:
    return "".join(
        ">" if not each.marker else "*" if each.kind in "-+*" else f"{each.number}."
        for each in path
    )


def found(text: str) -> list[list[str]]:
    recorder = Recorder()
    reader = Blocks(recorder)
    for line in text.split("\n"):
        reader.line(line)
    reader.end()
    return recorder.found


def expected(text: str) -> list[list[str]]:
    """What markdown-it makes of it."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["reference", "html_block", "lheading"])
    blocks: list[list[str]] = []
    path: list[str] = []
    numbers: list[int] = []
    kind = ""
    for token in parser.parse(text):
        name, _, end = token.type.rpartition("_")
        if name == "ordered_list":
            numbers = (
                [*numbers, int(token.attrs.get("start", 1))] if end == "open" else numbers[:-1]
            )
        elif name == "bullet_list":
            numbers = [*numbers, -1] if end == "open" else numbers[:-1]
        elif token.type == "blockquote_open":
            path.append(">")
        elif token.type == "list_item_open":
            path.append("*" if numbers[-1] < 0 else f"{numbers[-1]}.")
            numbers[-1] += numbers[-1] >= 0
        elif token.type in ("blockquote_close", "list_item_close"):
            path.pop()
        elif token.type in ("fence", "code_block"):
            info = token.info.split()
            blocks.append(["".join(path), "code", f"{info[0] if info else ''}\n{token.content}"])
        elif token.type == "hr":
            blocks.append(["".join(path), "rule", ""])
        elif token.type in ("paragraph_open", "heading_open"):
            kind = token.tag
        elif token.type == "table_open":
            blocks.append(["".join(path), "table", ""])
            kind = ""
        elif token.type == "tr_open" and blocks[-1][2]:
            blocks[-1][2] += "\n"
        elif token.type in ("th_open", "td_open"):
            blocks[-1][2] += "|" * (bool(blocks[-1][2]) and blocks[-1][2][-1] != "\n")
        elif token.type == "inline" and kind:
            blocks.append(["".join(path), kind, token.content])
        elif token.type == "inline":
            blocks[-1][2] += token.content
    return blocks


def bare(blocks: list[list[str]]) -> list[list[str]]:
    """Without the blanks around lines, and the empty lines after code, which nobody sees."""
    return [
        [where, kind, "\n".join(line.strip() for line in text.split("\n")).rstrip()]
        for where, kind, text in blocks
    ]


@examples(150)
@given(blocks)
def test_blocks_are_those_of_another_parser(text: str) -> None:
    # What is far to the right below a quote, markdown-it takes out of it; CommonMark does not.
    assume(">" not in text or "    " not in text)
    assume("|  |" not in text)
    if "\n-\n" not in text:  # an underline for CommonMark, which makes headings of long texts
        assert bare(found(text)) == bare(expected(text))


def test_a_long_paragraph_is_told_in_parts_where_nothing_is_open() -> None:
    told: list[tuple[str, bool]] = []

    class Parts(Recorder):
        def text(self, _path: Path, source: str, _level: int, **parts: bool) -> None:
            told.append((source, parts["last"]))

    reader = Blocks(Parts())
    reader.line("a " * 300)
    reader.line("**b " * 100)
    reader.line("c** " * 100)
    reader.line("end")
    reader.end()
    assert [(source.split()[0], last) for source, last in told] == [
        ("a", False), ("**b", False), ("end", True),
    ]  # fmt: skip
