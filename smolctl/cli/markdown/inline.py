"""What is inside a paragraph, a heading, a cell: emphasis, code, links, as spans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from smolctl.cli.markdown.spans import BOLD, CYAN, DIM, ITALIC, STRIKE, UNDERLINE, Span, join
from smolctl.cli.output import printable

if TYPE_CHECKING:
    from markdown_it.token import Token

    from smolctl.cli.markdown.spans import Style

_LONGEST = 2000
"""Letters of a text that is looked into; one that has more is shown as it is."""

_PARSER = None
_STYLES = {"strong": BOLD, "em": ITALIC, "s": STRIKE, "link": UNDERLINE}
_UNDECIDED = re.compile(r"(?:[*_~`\[\]!\\<]+|&#?\w{0,8})$")
_TICKS = re.compile(r"\\`|`+")
_LINK = re.compile(r"\]\([^()\s]*$")
_OPEN = re.compile(r"[*_~`\\]|\[|<(?=[a-zA-Z/!?])")


def parse(source: str, *, ended: bool = True, colour: bool = True) -> list[Span]:
    """Return the spans of a Markdown text. Its line breaks stay: models mean them.

    With `ended` false more of it will come: what was opened and not closed is shown as if it
    were closed here, and what may still become a mark is held back.
    """
    if len(source) > _LONGEST:
        return [Span(printable(source))]
    if not ended:
        source = _closed(source)
    return join(_spans(_tokens(source)[0], (), colour=colour))


def is_settled(source: str) -> bool:
    """Whether nothing that may follow `source` can change how it is shown."""
    if len(source) > _LONGEST or source.endswith("\\"):
        return False
    tokens, pending = _tokens(source)
    return not pending and not any(
        token.type == "text" and _OPEN.search(token.content) for token in tokens
    )


def _closed(source: str) -> str:
    """Return `source` with its open marks closed."""
    source = _UNDECIDED.sub("", source.rstrip())
    ticks = ""
    for run in _TICKS.findall(source):
        if run[0] == "\\" and not ticks:
            continue
        if not ticks:
            ticks = run
        elif run.lstrip("\\") == ticks:
            ticks = ""
    if ticks:
        source += ticks
    elif _LINK.search(source):
        source += ")"
    pending = _tokens(source)[1]
    return (source.rstrip() if pending else source) + "".join(reversed(pending))


def _tokens(source: str) -> tuple[list[Token], list[str]]:
    """Return the tokens of `source`, and the marks in it that are open."""
    parser = _parser()
    tokens: list[Token] = []
    state = StateInline(source, parser, {}, tokens)
    parser.inline.tokenize(state)
    for rule in parser.inline.ruler2.getRules(""):
        rule(state)
    pending = [chr(each.marker) for each in state.delimiters if each.open and each.end < 0]
    return tokens, [mark * (1 + (mark == "~")) for mark in pending]


def _parser() -> MarkdownIt:
    global _PARSER
    if _PARSER is None:
        # HTML off: what looks like a tag is text.
        _PARSER = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    return _PARSER


def _spans(tokens: list[Token], style: Style, *, colour: bool) -> list[Span]:
    spans: list[Span] = []
    open_: list[tuple[str, int]] = []
    for token in tokens:
        kind, _, end = token.type.rpartition("_")
        if end == "open" and kind in _STYLES:
            open_.append((str(token.attrs.get("href", "")), len(spans)))
            style = (*style, _STYLES[kind])
        elif end == "close" and kind in _STYLES:
            address, begin = open_.pop()
            style = style[:-1]
            if kind == "link":
                spans += _address("".join(span.text for span in spans[begin:]), address)
        elif token.type == "code_inline":
            # Without colours the marks stay, or nothing would show that it is code.
            content = _flat(token.content)
            spans.append(Span(content, (*style, CYAN)) if colour else Span(f"`{content}`", style))
        elif token.type == "image":
            text = "".join(span.text for span in _spans(token.children or [], (), colour=colour))
            spans.append(Span(text, (*style, ITALIC)))
            spans += _address(text, str(token.attrs.get("src", "")))
        elif token.type in ("softbreak", "hardbreak"):
            spans.append(Span("\n", style))
        else:
            spans.append(Span(_flat(token.content), style))
    return spans


def _address(text: str, address: str) -> list[Span]:
    """Return where a link leads, unless its text says so: a person sees it before going there."""
    address = _flat(address)
    if not address or address in (text, f"mailto:{text}"):
        return []
    return [Span(f" ({address})" if text else address, (DIM,))]


def _flat(text: str) -> str:
    """Return `text` without what moves the cursor: entities can stand for any letter."""
    return printable(text.replace("\n", " ").replace("\t", " "))
