"""Numbers as people read them: decimal sizes, parameter counts, ages.

Sizes are decimal (1 MB is 1,000,000 bytes), as Docker Model Runner prints them.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

_SIZE_UNITS = ("kB", "MB", "GB", "TB")
_COUNT_UNITS = ("K", "M", "B", "T")
_AGES = (
    (365 * 86400, "year"),
    (30 * 86400, "month"),
    (7 * 86400, "week"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
    (1, "second"),
)


def format_size(size: int) -> str:
    """Return `size` bytes as `271 MB`, `7.3 MB` or `512 B`: three digits that matter."""
    if size < 1000:
        return f"{size} B"
    return _scaled(size, _SIZE_UNITS, separator=" ")


def format_count(count: int) -> str:
    """Return a number of parameters as `362M` or `3.7M`."""
    if count < 1000:
        return str(count)
    return _scaled(count, _COUNT_UNITS, separator="")


def normalize_quantity(text: str) -> str:
    """Return a config's `361.82 M` as `361.82M`; older artifacts write the space."""
    return re.sub(r"(?<=\d)\s+(?=[A-Za-z])", "", text.strip())


def format_age(then: datetime, now: datetime | None = None) -> str:
    """Return how long ago `then` was, in the largest unit that fits: `3 weeks ago`."""
    seconds = int(((now or datetime.now(timezone.utc)) - then).total_seconds())
    if seconds < 0:
        return "in the future"
    for length, unit in _AGES:
        count = seconds // length
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def parse_time(text: str) -> datetime | None:
    """Return an RFC 3339 time in UTC, or None when `text` is not one.

    Go's zero time, year 1, says that nobody set it: that is None too.
    """
    # Go writes nanoseconds; datetime.fromisoformat before Python 3.11 reads neither those nor "Z".
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text.strip()).replace("Z", "+00:00")
    padded = re.sub(r"\.(\d{1,5})(?=[+-]|$)", lambda m: f".{m[1]:0<6}", shortened)
    try:
        parsed = datetime.fromisoformat(padded)
        zoned = parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
        when = zoned.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # OverflowError: its zone moves it out of the calendar
        return None
    return when if when.year > 1 else None


def format_time(when: datetime) -> str:
    """Return `when` in RFC 3339, UTC, whole seconds: `2025-03-24T11:33:01Z`."""
    utc = when.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None)
    return f"{utc.isoformat()}Z"  # strftime writes a year before 1000 in fewer than four digits


def _scaled(number: int, units: tuple[str, ...], *, separator: str) -> str:
    value = float(number)
    for unit in units:
        value /= 1000
        # 999.6 would be printed as 1000: it belongs to the next unit already.
        if value < 999.5 or unit == units[-1]:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{separator}{unit}"
    raise AssertionError("units is empty")
