"""Code in colour, a line at a time."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

from smolctl.cli.markdown.spans import BOLD, CYAN, DIM, GREEN, ITALIC, MAGENTA, RED, Span, join
from smolctl.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.cli.markdown.spans import Style

_TAB = 4
_LONGEST = 1000
"""Letters of a line that is coloured."""

_COMMENTS = (("/*", "*/"), ("<!--", "-->"))
"""Comments over several lines, which most grammars read in one piece."""


class Highlighter:
    """Colours the lines of a program in order.

    Each line is read once, in the state in which the one before left off: so a long program takes
    no longer for a line than a short one, and a line keeps its colours.
    """

    def __init__(self, language: str) -> None:
        self._lexer = _lexer(language)
        self._states: tuple[str, ...] = ("root",)
        self._closing = ""
        """What ends the comment that the line before left open."""

        self._comments = [each for each in _COMMENTS if self._lexer and _knows(self._lexer, *each)]
        self._takes_states = self._lexer is not None and _takes_states(self._lexer)

    def copy(self) -> Highlighter:
        """Return one that goes on from here, without changing this one."""
        return copy.copy(self)

    def line(self, text: str) -> list[Span]:
        """Return the spans of the next line."""
        text = printable(text).expandtabs(_TAB).replace("\n", " ")
        if self._lexer is None or len(text) > _LONGEST:
            return [Span(text)]
        spans = []
        if self._closing:
            head, mark, text = text.partition(self._closing)
            spans.append(Span(head + mark, _style(_token("Comment"))))
            if not mark:
                return spans
            self._closing = ""
        return join([*spans, *self._tokens(text)])

    def _tokens(self, text: str) -> Iterator[Span]:
        found = list(self._lex(text + "\n"))
        opened, closing = self._left_open(text, found)
        if closing:
            self._closing = closing
            found = list(self._lex(text[:opened] + "\n"))
            text, rest = text[:opened], text[opened:]
        if self._takes_states:
            self._states = _states_after(self._lexer, text + "\n", self._states)
        for _, kind, value in found:
            yield Span(value.replace("\n", ""), _style(kind))
        if closing:
            yield Span(rest, _style(_token("Comment")))

    def _lex(self, text: str) -> Iterator[tuple[int, Any, str]]:
        lexer: Any = self._lexer
        if self._takes_states:
            yield from lexer.get_tokens_unprocessed(text, self._states)
        else:
            yield from lexer.get_tokens_unprocessed(text)

    def _left_open(self, text: str, tokens: list[tuple[int, Any, str]]) -> tuple[int, str]:
        """Return where a comment begins that `text` does not end, and what ends it."""
        for opening, closing in self._comments:
            at = text.rfind(opening)
            if at < 0 or closing in text[at + len(opening) :]:
                continue
            covering = (each for each in tokens if each[0] <= at < each[0] + len(each[2]))
            around = next(covering, (-1, _token("Text"), ""))
            begins = around[0] == at and around[1] not in _token("Comment").Single
            inside = around[1] in _token("Comment") or around[1] in _token("String")
            if begins or not inside:
                return at, closing
        return 0, ""


def _lexer(language: str) -> Any:
    """Return Pygments' lexer for what a fence says its language is; None where there is none."""
    if not language:
        return None
    from pygments.lexers import find_lexer_class_by_name
    from pygments.util import ClassNotFound

    name = language.strip("{}.").partition(",")[0].partition(":")[0].lower()
    try:
        return find_lexer_class_by_name(name)() if name.isascii() else None
    except ClassNotFound:
        return None


def _knows(lexer: Any, opening: str, closing: str) -> bool:
    """Whether a comment of this kind is one to the lexer."""
    begin = "<?php " if lexer.name == "PHP" else ""
    text = f"{begin}{opening} a\n b {closing}"
    kinds = [kind for _, kind, value in lexer.get_tokens_unprocessed(text) if value.strip()]
    return all(kind in _token("Comment") for kind in kinds)


def _takes_states(lexer: Any) -> bool:
    """Whether the lexer can begin in a state other than its first."""
    parameters = inspect.signature(lexer.get_tokens_unprocessed).parameters
    return "stack" in parameters and isinstance(getattr(lexer, "_tokens", None), dict)


def _states_after(lexer: Any, text: str, states: tuple[str, ...]) -> tuple[str, ...]:
    """Return the states that a `RegexLexer` is in after `text`.

    It does not tell: this walks through its rules as it does. Source: Pygments' documentation,
    "Write your own lexer".
    """
    rules = lexer._tokens
    stack = list(states)
    position = 0
    while position < len(text):
        for match, _, change in rules[stack[-1]]:
            if found := match(text, position):
                position = found.end()
                _change(stack, change)
                break
        else:
            if text[position] == "\n":
                stack = ["root"]
            position += 1
    return tuple(stack)


def _change(stack: list[str], change: Any) -> None:
    if isinstance(change, tuple):
        for state in change:
            _change(stack, {"#pop": -1}.get(state, state))
    elif isinstance(change, int):
        # The first state stays, however many are left.
        del stack[max(1, len(stack) + change) :]
    elif change == "#push":
        stack.append(stack[-1])
    elif change is not None:
        stack.append(change)


def _token(name: str) -> Any:
    from pygments.token import Token

    return getattr(Token.Literal, name) if name == "String" else getattr(Token, name)


_STYLES: dict[str, Style] = {
    "Comment": (DIM, ITALIC),
    "Comment.Preproc": (MAGENTA,),
    "Keyword": (MAGENTA,),
    "Keyword.Constant": (CYAN,),
    "Keyword.Type": (CYAN,),
    "Operator.Word": (MAGENTA,),
    "Name.Builtin": (CYAN,),
    "Name.Function": (BOLD,),
    "Name.Class": (BOLD,),
    "Name.Decorator": (CYAN,),
    "Name.Tag": (MAGENTA,),
    "Name.Attribute": (CYAN,),
    "Literal.String": (GREEN,),
    "Literal.Number": (CYAN,),
    "Generic.Heading": (BOLD,),
    "Generic.Subheading": (BOLD,),
    "Generic.Deleted": (RED,),
    "Generic.Inserted": (GREEN,),
    "Generic.Emph": (ITALIC,),
    "Generic.Strong": (BOLD,),
    "Generic.Prompt": (DIM,),
}
"""Colours that the person's own theme has made readable, and few of them."""


def _style(kind: Any) -> Style:
    while kind:
        if style := _STYLES.get(".".join(kind)):
            return style
        kind = kind.parent
    return ()
