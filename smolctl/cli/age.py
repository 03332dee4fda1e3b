"""Ages on the command line: `30d`, `12h`, `2w`."""

from __future__ import annotations

import re

from smolctl.errors import UsageError

_AGE = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def age_seconds(text: str) -> int:
    """Return the seconds of the age `text`; 0 needs no unit. Raises `UsageError`."""
    match = _AGE.fullmatch(text)
    if match is not None:
        return int(match[1]) * _UNIT_SECONDS[match[2]]
    if text == "0":
        return 0
    raise UsageError(f"--older-than is {text!r}", hint="It is an age: 30d, 12h, 2w.")
