"""Regular expressions as grammars of JSON strings: what stands between the quotes.

They are those of JSON Schema's `pattern` (ECMA-262, read for Unicode), which match anywhere in a
string unless `^` and `$` say otherwise. What no grammar can follow, or llama.cpp's would not, is
refused: looking around, references back, word boundaries, flags, properties of letters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from smolctl.engine.gbnf import MAXIMUM_REPETITIONS
from smolctl.errors import InvalidGrammar

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAXIMUM_LETTERS = 1000
_MAXIMUM_DEPTH = 32
_LAST = 0x10FFFF

_Ranges = list[tuple[int, int]]
"""Letters, as the code points from one up to and including another: sorted, without overlaps."""

_DIGITS: _Ranges = [(0x30, 0x39)]
_WORD: _Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_SPACE: _Ranges = [
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
]
_LINE_ENDS: _Ranges = [(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]
_UNWRITTEN: _Ranges = [(0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), (0xD800, 0xDFFF)]
"""What a JSON string does not have as it is; escapes write some of it."""

_ESCAPES = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '\\"', 0x5C: "\\\\"}
"""JSON's escape of a letter, after the backslash, as a grammar's literal has it."""

_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D, "0": 0x00}
_REPEAT = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<low>\d{1,9})(?P<more>,(?P<high>\d{1,9})?)?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_]\w*>|(?!\?))")
_NUMBER = re.compile(r"x(?P<x>[0-9A-Fa-f]{2})|u(?P<u>[0-9A-Fa-f]{4})|u\{(?P<U>[0-9A-Fa-f]{1,6})\}")


def string_of(pattern: str) -> str:
    """Return the right side of a rule for the strings, without quotes, that `pattern` matches.

    It needs the rule `letter`. Raises `InvalidGrammar`, with the place in the pattern, for one that
    is broken or cannot be followed.
    """
    if len(pattern) > _MAXIMUM_LETTERS:
        raise InvalidGrammar(f"the pattern has more than {_MAXIMUM_LETTERS} letters")
    return _Pattern(pattern).whole()


class _Pattern:
    """A recursive descent through a pattern, which writes the grammar as it goes."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def whole(self) -> str:
        ways = [self._anchored()]
        while self._take("|"):
            ways.append(self._anchored())
        if self._at < len(self._source):
            self._refuse("a parenthesis is closed that was not opened")
        return f"( {' | '.join(ways)} )"

    def _anchored(self) -> str:
        """Read one of the outermost alternatives: only these may say where the string ends."""
        before = "" if self._take("^") else "letter* "
        items = self._sequence(0)
        after = "" if self._take("$") else " letter*"
        return f"{before}{items}{after}"

    def _alternatives(self, depth: int) -> str:
        if depth > _MAXIMUM_DEPTH:
            self._refuse("it is nested too deeply")
        ways = [self._sequence(depth)]
        while self._take("|"):
            ways.append(self._sequence(depth))
        return f"( {' | '.join(ways)} )"

    def _sequence(self, depth: int) -> str:
        items = []
        while self._at < len(self._source) and self._source[self._at] not in "|)":
            if not depth and self._source[self._at] == "$":
                break
            items.append(self._repeated(self._item(depth)))
        return " ".join(items) or '""'

    def _item(self, depth: int) -> str:
        group = _GROUP.match(self._source, self._at)
        if group is not None:
            self._at = group.end()
            inside = self._alternatives(depth + 1)
            if not self._take(")"):
                self._refuse("a parenthesis is not closed")
            return inside
        if self._source.startswith("(", self._at):
            self._refuse("looking around, and flags, cannot be followed")
        if self._take("["):
            return self._written(self._class())
        if self._take("."):
            return self._written(_without(_LINE_ENDS))
        if self._take("\\"):
            return self._written(self._escape())
        letter = self._source[self._at]
        if letter in "^$":
            self._refuse(f"{letter} cannot be followed here")
        if letter in "*+?" or _REPEAT.match(self._source, self._at):
            self._refuse("there is nothing to repeat")
        self._at += 1
        return self._written([(ord(letter), ord(letter))])

    def _repeated(self, item: str) -> str:
        found = _REPEAT.match(self._source, self._at)
        if found is None:
            return item
        self._at = found.end()
        if found["sign"]:
            return f"( {item} ){found['sign']}"
        low, high = int(found["low"]), int(found["high"] or found["low"])
        if high < low:
            self._refuse("a repetition ends before its beginning")
        if high > MAXIMUM_REPETITIONS:
            self._refuse(f"it repeats more than {MAXIMUM_REPETITIONS} times")
        return f"( {item} ){{{low},{'' if found['more'] and not found['high'] else high}}}"

    def _class(self) -> _Ranges:
        """Read letters in brackets, after the first of these."""
        is_negated = self._take("^")
        found: _Ranges = []
        while not self._take("]"):
            first = self._class_letters()
            follows = self._source[self._at : self._at + 2]
            if follows[:1] == "-" and follows[1:] not in ("", "]") and _is_one(first):
                self._at += 1
                last = self._class_letters()
                if not _is_one(last) or last < first:
                    self._refuse("a range has no end, or ends before its beginning")
                first = [(first[0][0], last[0][0])]
            found += first
        found = _joined(found)
        return _without(found) if is_negated else found

    def _class_letters(self) -> _Ranges:
        if self._at >= len(self._source):
            self._refuse("a bracket is not closed")
        if self._take("\\"):
            return [(0x08, 0x08)] if self._take("b") else self._escape()
        self._at += 1
        code = ord(self._source[self._at - 1])
        return [(code, code)]

    def _escape(self) -> _Ranges:
        """Read what follows a backslash."""
        letter = self._source[self._at : self._at + 1]
        number = _NUMBER.match(self._source, self._at)
        if number is not None:
            self._at = number.end()
            code = int(number["x"] or number["u"] or number["U"], 16)
            return [(min(code, _LAST), min(code, _LAST))]
        self._at += 1
        known = {"d": _DIGITS, "w": _WORD, "s": _SPACE}.get(letter.lower())
        if known is not None:
            return _without(known) if letter.isupper() else known
        if letter in _CONTROLS and letter:
            return [(_CONTROLS[letter], _CONTROLS[letter])]
        if not letter or letter.isalnum():
            self._at -= 1
            self._refuse(f"\\{letter} cannot be followed")
        return [(ord(letter), ord(letter))]

    def _written(self, letters: _Ranges) -> str:
        """Return what reads one of `letters` as JSON writes it."""
        plain = _without(_joined([*_without(letters), *_UNWRITTEN]))
        ways = [f"[{''.join(map(_spelled, plain))}]"] if plain else []
        for code, escape in _ESCAPES.items():
            if any(first <= code <= last for first, last in letters):
                ways.append(f'"\\\\{escape}"')
        if not ways:
            self._refuse("it has letters that text has not")
        return ways[0] if len(ways) == 1 else f"( {' | '.join(ways)} )"

    def _take(self, letter: str) -> bool:
        is_there = self._source.startswith(letter, self._at)
        self._at += is_there
        return is_there

    def _refuse(self, reason: str) -> NoReturn:
        before = self._source[: self._at][-40:]
        place = f" after {before!r}" if before else ""
        raise InvalidGrammar(f"the pattern cannot be followed{place}: {reason}")


def _is_one(letters: _Ranges) -> bool:
    return len(letters) == 1 and letters[0][0] == letters[0][1]


def _joined(ranges: Iterable[tuple[int, int]]) -> _Ranges:
    """Return `ranges` sorted, and joined where they overlap or touch."""
    found: _Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _without(ranges: _Ranges) -> _Ranges:
    """Return every letter that is not in `ranges`."""
    found: _Ranges = []
    start = 0
    for first, last in ranges:
        if start < first:
            found.append((start, first - 1))
        start = last + 1
    if start <= _LAST:
        found.append((start, _LAST))
    return found


def _spelled(letters: tuple[int, int]) -> str:
    """Return a range as it stands in a grammar's brackets."""
    first, last = (
        chr(code) if code < 0x80 and chr(code).isalnum() else f"\\U{code:08X}" for code in letters
    )
    return first if letters[0] == letters[1] else f"{first}-{last}"
