"""Numbers between bounds as grammars: what the digits may be, from the first on.

A digit is free once the number is between the bounds whatever follows. So the rules for `12` to
`305` are `"1" [2-9]`, `[2-9] [0-9]`, `[1-2] [0-9]{2}` and `"30" [0-5]`; a fraction goes on like
that, and may end wherever zeros would do. Bounded numbers are written without an exponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from smolctl.errors import InvalidGrammar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST = 10**16 - 1
"""What the rule of a number without bounds reaches: more digits would not survive in a double."""

_PLACES = 15
"""Digits after the point, at most."""


@dataclass(frozen=True)
class Bound:
    """Where numbers end; with `open` they end before it."""

    value: Decimal
    open: bool = False

    @property
    def negated(self) -> Bound:
        """The bound on the other side of zero."""
        return Bound(-self.value, self.open)


_ZERO = Bound(Decimal(0))


def lower_bound(schema: Mapping[str, Any]) -> Bound | None:
    """Return where a schema's numbers begin (`minimum`, `exclusiveMinimum`); None for nowhere.

    Raises `InvalidGrammar` for a keyword that is no number.
    """
    found = _bounds(schema, "minimum", "exclusiveMinimum")
    return max(found, key=lambda bound: (bound.value, bound.open), default=None)


def upper_bound(schema: Mapping[str, Any]) -> Bound | None:
    """Return where a schema's numbers end (`maximum`, `exclusiveMaximum`), as `lower_bound`."""
    found = _bounds(schema, "maximum", "exclusiveMaximum")
    return min(found, key=lambda bound: (bound.value, not bound.open), default=None)


def _bounds(schema: Mapping[str, Any], closed: str, open_: str) -> list[Bound]:
    """Return the bounds that the two keywords set; the second was once a mark on the first."""
    found: list[Bound] = []
    for keyword in (closed, open_):
        value = schema.get(keyword)
        if keyword == open_ and isinstance(value, bool):
            found = [Bound(bound.value, value) for bound in found]
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:
            found.append(Bound(Decimal(str(value)), keyword == open_))
        elif value is not None:
            raise InvalidGrammar(f"{keyword} is a number")
    return [bound for bound in found if bound.value.is_finite()]


def integers(low: Bound | None, high: Bound | None) -> str:
    """Return the right side of a rule for the integers from `low` to `high`; None is no bound.

    Raises `InvalidGrammar` where there are none, or none of 16 digits.
    """
    least, most = -_LARGEST, _LARGEST
    if low is not None:
        least = max(least, floor(low.value) + 1 if low.open else ceil(low.value))
    if high is not None:
        most = min(most, ceil(high.value) - 1 if high.open else floor(high.value))
    ways = []
    if least < 0 and least <= most:
        ways.append(f'"-" {_naturals(max(1, -most), -least)}')
    if most >= 0 and least <= most:
        ways.append(_naturals(max(0, least), most))
    return _any_of(ways)


def numbers(low: Bound | None, high: Bound | None) -> str:
    """Return the right side of a rule for the numbers from `low` to `high`; None is no bound.

    Raises `InvalidGrammar` where there are none, or none of 16 digits before the point.
    """
    ways = []
    if low is None or low.value < 0:
        start = high.negated if high is not None and high.value <= 0 else _ZERO
        ways += [f'"-" {way}' for way in _decimals(start, low and low.negated)]
    if high is None or high.value >= 0:
        ways += _decimals(low if low is not None and low.value >= 0 else _ZERO, high)
    return _any_of(ways)


def _any_of(ways: Sequence[str]) -> str:
    if not ways:
        raise InvalidGrammar("there is no number between the bounds")
    return " | ".join(ways)


def _naturals(low: int, high: int) -> str:
    """Return what reads the numbers from `low` to `high`, neither below 0."""
    shortest, longest = len(str(low)), len(str(high))
    if shortest == longest:
        return _digits(str(low), str(high))
    ways = [_digits(str(low), "9" * shortest)]
    # Of the lengths between them, and of the longest if it is nines, every number will do.
    full = longest if not str(high).strip("9") else longest - 1
    if full > shortest:
        ways.append(f"[1-9] [0-9]{{{shortest},{full - 1}}}")
    if full < longest:
        ways.append(_digits(f"1{'0' * full}", str(high)))
    return f"( {' | '.join(ways)} )"


def _digits(low: str, high: str) -> str:
    """Return what reads the digits from `low` to `high`, which are as many."""
    left = len(low) - 1
    if left < 0:
        return ""
    first, last = int(low[0]), int(high[0])
    if first == last:
        return f'"{first}" {_digits(low[1:], high[1:])}'
    ways = []
    if low[1:].strip("0"):
        ways.append(f'"{first}" {_digits(low[1:], "9" * left)}')
        first += 1
    if high[1:].strip("9"):
        ways.append(f'"{last}" {_digits("0" * left, high[1:])}')
        last -= 1
    if first <= last:
        ways.append(f"[{first}-{last}] {f'[0-9]{{{left}}}' if left else ''}")
    return f"( {' | '.join(ways)} )"


@dataclass(frozen=True)
class _End:
    """What a bound says of the digits still to come: `digits`, and then zeros without end."""

    digits: str
    open: bool

    @property
    def is_zero(self) -> bool:
        return not self.digits

    @property
    def digit(self) -> int:
        return int(self.digits[:1] or 0)

    @property
    def rest(self) -> _End:
        return _End(self.digits[1:], self.open)


def _decimals(low: Bound, high: Bound | None) -> list[str]:
    """Return the ways to write a number from `low` to `high`, neither below 0."""
    least, start = _parted(low)
    if least > _LARGEST:
        return []
    most, end = _parted(high) if high is not None else (_LARGEST + 1, None)
    if most > _LARGEST:
        most, end = _LARGEST + 1, None
    if least > most:
        return []
    parts = [(f'"{least}"', _fraction(start, end if least == most else None))]
    if least + 1 < most:
        parts.append((_naturals(least + 1, most - 1), _fraction(None, None)))
    if end is not None and least < most:
        parts.append((f'"{most}"', _fraction(None, end)))
    return [f"{whole} {fraction}" for whole, fraction in parts if fraction is not None]


def _parted(bound: Bound) -> tuple[int, _End]:
    """Return the digits before the point as a number, and those after it."""
    whole = int(bound.value)
    places = int((bound.value - whole) * 10**_PLACES)
    return whole, _End(f"{places:0{_PLACES}}".rstrip("0"), bound.open)


def _fraction(low: _End | None, high: _End | None) -> str | None:
    """Return what reads the point and the digits after it, if there are some; None if none fit."""
    more = _more(low, high)
    return _ended(low, high, None if more is None else f'"." {more}')


def _ended(low: _End | None, high: _End | None, more: str | None) -> str | None:
    """Return `more`, which may be left out where the number may end here."""
    may_end = (low is None or (low.is_zero and not low.open)) and (
        high is None or not (high.is_zero and high.open)
    )
    if more is None:
        return "" if may_end else None
    return f"( {more} )?" if may_end else more


def _more(low: _End | None, high: _End | None) -> str | None:
    """Return what reads one digit or more; None where no digit fits."""
    if low is not None and low.is_zero and not low.open:
        low = None
    if high is not None and high.is_zero:
        return f'"0"{{1,{_PLACES}}}' if low is None and not high.open else None
    if high is None and low is None:
        return f"[0-9]{{1,{_PLACES}}}"
    if high is None and low is not None and low.is_zero:
        return f'"0"{{0,{_PLACES}}} [1-9] [0-9]{{0,{_PLACES}}}'
    first, last = -1 if low is None else low.digit, 10 if high is None else high.digit
    if first > last:
        return None
    edges = [(first, low and low.rest, high.rest if high and first == last else None)]
    if first < last:
        edges.append((last, None, high and high.rest))
    ways = []
    for digit, start, end in edges:
        if 0 <= digit <= 9:
            rest = _ended(start, end, _more(start, end))
            if rest is not None:
                ways.append(f'"{digit}" {rest}')
    if first + 1 <= last - 1:
        ways.append(f"[{first + 1}-{last - 1}] [0-9]{{0,{_PLACES}}}")
    return f"( {' | '.join(ways)} )" if ways else None
