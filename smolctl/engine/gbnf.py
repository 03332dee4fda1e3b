"""Grammars in llama.cpp's GBNF, checked before llama.cpp sees them.

llama.cpp's own parser writes its complaints to stderr, recurses as deep as the parentheses go, and
takes exponential time for rules that can be empty in many ways. Its notation is described in
`grammars/README.md` of its source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from smolctl.errors import InvalidGrammar

_MAXIMUM_LETTERS = 256 * 1024
_MAXIMUM_DEPTH = 64
_MAXIMUM_RULES = 4096
MAXIMUM_REPETITIONS = 1000
_MAXIMUM_STEPS = 10_000
"""Steps from a rule's beginning to all places where its first letter may be."""

_TOO_DEEP = "the grammar's rules are nested too deeply"

_SPACE = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_DEFINED_AS = re.compile(r"::=")
_ESCAPE = r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[tnr\\\"\[\]-])"
_LITERAL = re.compile(rf'"(?P<letters>(?:[^"\\]|{_ESCAPE})*)"')
_CLASS = re.compile(rf"\[(?!\^?\])(?:[^\]\\]|{_ESCAPE})+\]|\.")
_CLOSING = re.compile(r"\)")
_REPEAT = re.compile(
    r"[*+?]|\{[ \t]*(?P<low>\d{1,9})[ \t]*(?P<comma>,[ \t]*(?P<high>\d{1,9})?[ \t]*)?\}"
)


@dataclass(frozen=True)
class Grammar:
    """A grammar that a reply must follow, from the rule `root` on.

    Raises `InvalidGrammar`, with the line, when it is broken, or when it is too much to follow.
    """

    source: str
    root: str = "root"

    def __post_init__(self) -> None:
        if len(self.source) > _MAXIMUM_LETTERS:
            raise InvalidGrammar(f"the grammar has more than {_MAXIMUM_LETTERS} letters")
        if re.search("[\0\ud800-\udfff]", self.source):
            raise InvalidGrammar("the grammar is no text")
        rules = _Parser(self.source).rules()
        if self.root not in rules:
            raise InvalidGrammar(f"the grammar has no rule {self.root!r}")
        try:
            _Paths(rules).check()
        except RecursionError:
            raise InvalidGrammar(_TOO_DEEP) from None


@dataclass(frozen=True)
class _Literal:
    """Something that reads letters, or, with `empty`, none."""

    empty: bool


@dataclass(frozen=True)
class _Reference:
    name: str


@dataclass(frozen=True)
class _Group:
    alternatives: tuple[tuple[_Symbol, ...], ...]


@dataclass(frozen=True)
class _Repeated:
    """`item`, at least `low` times, at most `high`; None for any number of times."""

    item: _Literal | _Reference | _Group
    low: int
    high: int | None


_Symbol = _Literal | _Reference | _Group | _Repeated


class _Parser:
    """A recursive descent through the notation."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._references: dict[str, int] = {}

    def rules(self) -> dict[str, _Group]:
        """Return the rules by their names."""
        found: dict[str, _Group] = {}
        self._skip(_SPACE_AND_LINES)
        while self._at < len(self._source):
            name = self._expect(_NAME, "a rule's name").group()
            self._skip(_SPACE)
            self._expect(_DEFINED_AS, "::=")
            self._skip(_SPACE_AND_LINES)
            if name in found:
                self._refuse(f"there are two rules {name!r}")
            if len(found) >= _MAXIMUM_RULES:
                self._refuse(f"there are more than {_MAXIMUM_RULES} rules")
            found[name] = self._alternatives(0)
            if self._at < len(self._source) and self._source[self._at] not in "\r\n":
                self._refuse("the end of the rule is expected")
            self._skip(_SPACE_AND_LINES)
        for name, at in self._references.items():
            if name not in found:
                self._at = at
                self._refuse(f"there is no rule {name!r}")
        return found

    def _alternatives(self, depth: int) -> _Group:
        if depth > _MAXIMUM_DEPTH:
            self._refuse("parentheses are nested too deeply")
        alternatives = [self._sequence(depth)]
        while self._source.startswith("|", self._at):
            self._at += 1
            self._skip(_SPACE_AND_LINES)
            alternatives.append(self._sequence(depth))
        return _Group(tuple(alternatives))

    def _sequence(self, depth: int) -> tuple[_Symbol, ...]:
        space = _SPACE_AND_LINES if depth else _SPACE
        symbols: list[_Symbol] = []
        while True:
            item = self._item(depth)
            if item is None:
                return tuple(symbols)
            self._skip(space)
            symbols.append(self._repeated(item, space))

    def _item(self, depth: int) -> _Literal | _Reference | _Group | None:
        if literal := self._take(_LITERAL):
            return _Literal(empty=not literal["letters"])
        if self._take(_CLASS):
            return _Literal(empty=False)
        if name := self._take(_NAME):
            return self._reference(name)
        if not self._source.startswith("(", self._at):
            return None
        self._at += 1
        self._skip(_SPACE_AND_LINES)
        group = self._alternatives(depth + 1)
        self._expect(_CLOSING, ")")
        return group

    def _reference(self, name: re.Match[str]) -> _Reference:
        self._references.setdefault(name.group(), name.start())
        return _Reference(name.group())

    def _repeated(self, item: _Literal | _Reference | _Group, space: re.Pattern[str]) -> _Symbol:
        found = self._take(_REPEAT)
        if found is None:
            return item
        sign = found.group()[0]
        low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(sign, (0, None))
        if sign == "{":
            low = int(found["low"])
            high = low if not found["comma"] else int(found["high"]) if found["high"] else None
        if max(low, high or 0) > MAXIMUM_REPETITIONS or (high is not None and high < low):
            self._refuse(f"repeats at most {MAXIMUM_REPETITIONS} times")
        if isinstance(item, _Literal) and item.empty:
            self._refuse("there is nothing to repeat")
        self._skip(space)
        if _REPEAT.match(self._source, self._at):
            self._refuse("a repetition is repeated; put it in parentheses")
        return _Repeated(item, low, high)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._source, self._at)
        if found:
            self._at = found.end()
        return found

    def _skip(self, space: re.Pattern[str]) -> None:
        self._take(space)

    def _expect(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = self._take(pattern)
        if found is None:
            self._refuse(f"{what} is expected")
        return found

    def _line(self) -> int:
        return self._source.count("\n", 0, self._at) + 1

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidGrammar(f"the grammar is broken: line {self._line()}: {reason}")


@dataclass(frozen=True)
class _Count:
    """Steps to all first letters of a symbol, and the ways in which it may be empty."""

    steps: int
    empty: int


class _Paths:
    """Counts the steps into each rule, as llama.cpp will walk them, and refuses too many.

    Every rule is looked at, as llama.cpp looks at each, for one that begins with itself.
    """

    def __init__(self, rules: dict[str, _Group]) -> None:
        self._rules = rules
        self._counts: dict[str, _Count] = {}
        self._open: set[str] = set()

    def check(self) -> None:
        """Raise `InvalidGrammar` when the rules are too much."""
        for name in self._rules:
            self._rule(name)
        for rule in self._rules.values():
            self._later(rule)

    def _later(self, symbol: _Symbol) -> None:
        """Count from every place in a rule, where a reply may have got to, as from its beginning.

        All rules have been counted by now, so that this goes through one rule alone.
        """
        if isinstance(symbol, _Repeated):
            self._later(symbol.item)
        if not isinstance(symbol, _Group):
            return
        for alternative in symbol.alternatives:
            total = _Count(1, 1)
            for part in reversed(alternative):
                self._later(part)
                count = self._symbol(part)
                steps = count.steps + count.empty * total.steps
                total = _bounded(steps, count.empty * total.empty)

    def _rule(self, name: str) -> _Count:
        known = self._counts.get(name)
        if known is not None:
            return known
        if name in self._open:
            raise InvalidGrammar(f"the grammar's rule {name!r} begins with itself")
        self._open.add(name)
        count = self._counts[name] = self._group(self._rules[name])
        self._open.remove(name)
        return count

    def _group(self, group: _Group) -> _Count:
        counts = [self._sequence(alternative) for alternative in group.alternatives]
        return _bounded(sum(count.steps for count in counts), sum(count.empty for count in counts))

    def _sequence(self, symbols: tuple[_Symbol, ...]) -> _Count:
        """Count along a sequence: what follows is walked where what precedes may be empty."""
        total = _Count(1, 1)
        for symbol in symbols:
            count = self._symbol(symbol)
            total = _bounded(total.steps + total.empty * count.steps, total.empty * count.empty)
            if not total.empty:
                break
        return total

    def _symbol(self, symbol: _Symbol) -> _Count:
        if isinstance(symbol, _Literal):
            return _Count(1, int(symbol.empty))
        if isinstance(symbol, _Reference):
            return self._rule(symbol.name)
        if isinstance(symbol, _Group):
            return self._group(symbol)
        item = self._symbol(symbol.item)
        if item.empty:
            if symbol.high is None:  # llama.cpp would never come to the end of it
                raise InvalidGrammar("the grammar repeats without end what may be empty")
            # Each of the copies that llama.cpp makes may be the first that is not empty.
            return _bounded(item.steps * symbol.high, 1 + item.empty * symbol.high)
        return _Count(item.steps, int(symbol.low == 0))


def _bounded(steps: int, empty: int) -> _Count:
    if max(steps, empty) > _MAXIMUM_STEPS:
        raise InvalidGrammar("the grammar is too ambiguous to follow")
    return _Count(steps, empty)
