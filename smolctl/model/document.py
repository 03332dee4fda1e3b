"""Reading JSON documents that strangers wrote: every lookup is checked and says what is wrong.

Manifests, indexes and configs come from registries. Each reader below returns a value of the
type asked for or raises `IntegrityError` with the name of the field, so that no later code meets
a string where it expects a number.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from smolctl.errors import IntegrityError

JsonObject: TypeAlias = dict[str, Any]

MAXIMUM_SIZE = 4 * 1024 * 1024
"""Bytes in the largest manifest or config that is read: the limit that the distribution
specification asks registries to support at least."""


def parse_object(content: bytes, what: str) -> JsonObject:
    """Return `content` parsed as a JSON object; `what` names the document in errors.

    Raises `IntegrityError` for anything else: bad UTF-8, bad JSON, another type at the top,
    nesting that exhausts the parser, or more than `MAXIMUM_SIZE` bytes.
    """
    if len(content) > MAXIMUM_SIZE:
        raise IntegrityError(f"the {what} is larger than {MAXIMUM_SIZE} bytes")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise IntegrityError(f"the {what} is not valid JSON") from None
    if not isinstance(value, dict):
        raise IntegrityError(f"the {what} is not a JSON object")
    return value


def dump_object(value: JsonObject) -> bytes:
    """Return `value` as compact JSON in UTF-8, keys in the order given, as registries store it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def text(document: JsonObject, key: str, what: str) -> str | None:
    """Return the string at `key`, or None when it is missing, null or empty."""
    value = document.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise IntegrityError(f"the {what}'s {key} is not a string")
    return value


def integer(document: JsonObject, key: str, what: str) -> int | None:
    """Return the non-negative integer at `key`, or None when it is missing or null.

    One beyond 63 bits is refused: no file has that size, and no system call takes it.
    """
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise IntegrityError(f"the {what}'s {key} is not a size")
    return value


def child(document: JsonObject, key: str, what: str) -> JsonObject:
    """Return the object at `key`; an empty one when it is missing or null."""
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise IntegrityError(f"the {what}'s {key} is not an object")
    return value


def children(document: JsonObject, key: str, what: str) -> list[JsonObject]:
    """Return the list of objects at `key`; an empty one when it is missing or null."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise IntegrityError(f"the {what}'s {key} is not a list of objects")
    return value


def texts(document: JsonObject, key: str, what: str) -> tuple[str, ...]:
    """Return the list of strings at `key`; an empty one when it is missing or null."""
    value = document.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise IntegrityError(f"the {what}'s {key} is not a list of strings")
    return tuple(value)


def text_map(document: JsonObject, key: str, what: str) -> dict[str, str]:
    """Return the map of strings to strings at `key`; an empty one when it is missing or null."""
    value = child(document, key, what)
    if not all(isinstance(item, str) for item in value.values()):
        raise IntegrityError(f"the {what}'s {key} is not a map of strings")
    return value
