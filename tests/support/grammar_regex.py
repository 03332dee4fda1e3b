"""The right side of a grammar's rule as one of Python's regular expressions.

For rules that name no other but `letter`: what the grammar reads can then be asked without a model.
"""

from __future__ import annotations

import re

_ITEM = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)+\]|letter|\{[^}]*\}|[()|*+?]|\s+')
_LETTER = r'(?:[^"\\\x00-\x1f\x7f]|\\(?:["\\bfnrt/]|u[0-9a-fA-F]{4}))'


def regex_of(body: str) -> re.Pattern[str]:
    """Return what matches the texts that `body` reads."""
    at, parts = 0, []
    while at < len(body):
        found = _ITEM.match(body, at)
        assert found is not None, body[at:]
        at = found.end()
        parts.append(_translated(found[0]))
    return re.compile("".join(parts))


def _translated(item: str) -> str:
    if item.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", item[1:-1])
        return f"(?:{re.escape(text)})"
    if item == "letter":
        return _LETTER
    return {"(": "(?:"}.get(item, item.strip())
