"""JSON that a client sent, read by name: every value is checked, and an error names the parameter.

A name that is missing and one that is null are the same, as in OpenAI's API; names that nobody
asks for are ignored.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from smolctl.errors import SmolctlError

_MAXIMUM_DEPTH = 200
"""Levels of nesting: a JSON schema of the deepest kind that is followed has fewer."""

_MAXIMUM_INTEGER = 2**63
"""JSON has no limit; `float` has one."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class InvalidField(UsageError):
    """A value that is missing, has the wrong type, or cannot be met. `param` is its place."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


def parse_body(body: bytes, what: str = "the request's body") -> dict[str, Any]:
    """Return the JSON object that `body` is; errors call it `what`.

    Raises `UsageError` for what is no JSON, no object, no text (lone surrogates), no number
    (NaN, infinity, more digits than Python reads), or nested too deeply.
    """
    try:
        document = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise UsageError(f"{what} is nested too deeply") from None
    except json.JSONDecodeError as error:
        # Most of it has one line, and a row of a file has another number there.
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise UsageError(f"{what} is not valid JSON: {error.msg}, {place}") from None
    except ValueError as error:  # UnicodeDecodeError too
        raise UsageError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{what} is not a JSON object")
    if _too_deep(document):
        raise UsageError(f"{what} is nested too deeply")
    if _SURROGATE.search(body):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UsageError(f"{what} has half a surrogate pair in a string") from None
    return document


class Fields:
    """A JSON object that stands at `place` in a request; the request itself has no place."""

    def __init__(self, document: Mapping[str, Any], place: str = "") -> None:
        self.document = document
        self._place = place

    def param(self, name: str) -> str:
        """Return the place of the value called `name`, for errors: `messages[0].content`."""
        return f"{self._place}.{name}" if self._place else name

    def fail(self, name: str, problem: str) -> NoReturn:
        """Raise `InvalidField` for the value called `name`, which `problem` says more about."""
        param = self.param(name)
        raise InvalidField(param, f"{param} {problem}")

    def get(self, name: str) -> Any:
        """Return the value called `name`, whatever it is; None when it is missing."""
        return self.document.get(name)

    def text(self, name: str) -> str | None:
        """Return a string."""
        value = self.document.get(name)
        if value is not None and not isinstance(value, str):
            self.fail(name, "must be a string")
        return value

    def required_text(self, name: str) -> str:
        """Return a string that may not be missing or empty."""
        value = self.text(name)
        if not value:
            self.fail(name, "is missing" if value is None else "is empty")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false; `default` where it is missing."""
        value = self.document.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(name, "must be true or false")
        return value

    def integer(self, name: str) -> int | None:
        """Return an integer."""
        value = self.document.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            self.fail(name, "must be an integer")
        if value is not None and abs(value) > _MAXIMUM_INTEGER:
            self.fail(name, "is too large")
        return value

    def count(self, name: str, low: int, high: int) -> int | None:
        """Return an integer from `low` to `high`."""
        value = self.integer(name)
        if value is not None and not low <= value <= high:
            self.fail(name, f"must be from {low} to {high}")
        return value

    def number(self, name: str) -> float | None:
        """Return a number."""
        value = self.document.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.fail(name, "must be a number")
        if isinstance(value, int) and abs(value) > _MAXIMUM_INTEGER:
            self.fail(name, "is too large")
        return float(value)

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """Return one of a few strings."""
        value = self.text(name)
        if value is not None and value not in choices:
            self.fail(name, f"must be one of {', '.join(choices)}")
        return value

    def child(self, name: str) -> Fields | None:
        """Return an object."""
        value = self.document.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fail(name, "must be an object")
        return Fields(value, self.param(name))

    def required_child(self, name: str) -> Fields:
        """Return an object that may not be missing."""
        return self.child(name) or self.fail(name, "is missing")

    def children(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list; none where it is missing."""
        for number, value in enumerate(self.items(name)):
            place = f"{self.param(name)}[{number}]"
            if not isinstance(value, dict):
                raise InvalidField(place, f"{place} must be an object")
            yield Fields(value, place)

    def items(self, name: str) -> list[Any]:
        """Return a list; an empty one where it is missing."""
        value = self.document.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail(name, "must be a list")
        return value


def sentence(error: SmolctlError) -> str:
    """Return what `error` says, and what to do about it."""
    return f"{error.message}. {error.hint}" if error.hint else error.message


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _too_deep(document: dict[str, Any]) -> bool:
    """Whether `document` is nested deeper than is good for what walks through it later."""
    level: list[Any] = [document]
    for _ in range(_MAXIMUM_DEPTH):
        if not level:
            return False
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)
