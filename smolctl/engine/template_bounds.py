"""How large a value inside a chat template may grow, and the few operations that grow one.

A value counts with everything in it, as often as it is in it: a list that holds one list twice,
forty times over, is small in memory and has no end for whatever walks it. Python's own walks of it
(`str`, `==`) cannot be interrupted, so it must not come to exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

MAXIMUM_LENGTH = 32 * 1024 * 1024
"""Letters and items that a value may have, those of its parts included."""

_Value = TypeVar("_Value")


class Unbounded(BaseException):
    """A bound was exceeded. Not an `Exception`, so that nothing inside Jinja2 swallows it."""


def bounded(value: _Value) -> _Value:
    """Return `value`. Raises `Unbounded` when it is too large."""
    size(value, {})
    return value


def size(value: Any, known: dict[int, int]) -> int:
    """Return the letters and items in `value`; `known` has those of parts by identity.

    Raises `Unbounded` beyond `MAXIMUM_LENGTH`.
    """
    if isinstance(value, str):
        total = len(value)
    elif isinstance(value, (list, tuple, dict)):
        if id(value) in known:
            return known[id(value)]
        total = len(value)
        for item in value:
            total += size(item, known)
            if isinstance(value, dict):
                total += size(value[item], known)
        known[id(value)] = total
    else:
        total = 1
    return checked(total)


def checked(length: int) -> int:
    """Return `length`. Raises `Unbounded` when a value may not be that long."""
    if length > MAXIMUM_LENGTH:
        raise Unbounded
    return length


def repeated(value: Any, times: Any) -> int:
    """Return how long `value * times` would be, 0 where it is no repetition."""
    if isinstance(value, (str, list, tuple)) and isinstance(times, int):
        return len(value) * times
    return 0


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    """Replace as `str.replace` does. Raises `Unbounded` when the result would be too long."""
    found = text.count(old) if count < 0 else min(count, text.count(old))
    checked(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, count)


def join(separator: str, parts: Iterable[str]) -> str:
    """Join as `str.join` does. Raises `Unbounded` when the result would be too long."""
    pieces = list(parts)
    checked(len(separator) * len(pieces) + sum(map(len, pieces)))
    return separator.join(pieces)


def concat(pieces: Iterable[str]) -> str:
    """Join what a block or a macro printed, as `join` does."""
    return join("", pieces)
