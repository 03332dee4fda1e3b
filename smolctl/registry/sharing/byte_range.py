"""The bytes that a request wants of a blob. Source: RFC 9110, sections 13.1.5 and 14."""

from __future__ import annotations

import re

_RANGE = re.compile(
    r"\s*bytes\s*=\s*(?:(?P<first>\d{1,19})-(?P<last>\d{0,19})|-(?P<suffix>\d{1,19}))\s*",
    re.IGNORECASE,
)


class NotSatisfiable(ValueError):
    """None of the bytes that were asked for are there: the answer is a 416."""


def wanted_bytes(
    header: str | None, size: int, *, if_range: str | None = None, etag: str = ""
) -> tuple[int, int] | None:
    """Return where the range that `header` asks for starts and ends; None for the whole.

    What is no range of bytes, and several ranges in one request, mean the whole, as RFC 9110
    has it of a server that does not support them; so does an `if_range` that is not `etag`.
    Raises `NotSatisfiable`.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or (if_range is not None and if_range.strip() != etag):
        return None
    if match["suffix"] is not None:
        length = min(int(match["suffix"]), size)
        if length == 0:
            raise NotSatisfiable
        return size - length, size
    first = int(match["first"])
    last = int(match["last"]) if match["last"] else size - 1
    if match["last"] and last < first:
        return None
    if first >= size:
        raise NotSatisfiable
    return first, min(last + 1, size)
