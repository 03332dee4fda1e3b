"""JSON schemas as they are typed: `name, age int, bio: one line`.

The form is that of the `llm` command, with lists added. Fields stand between commas or, where there
is more than one line, on lines of their own, and then descriptions may have commas. A field is a
name, a type where it is no text, and a description after a colon; `[]` after the name or the type
makes it a list: `tags[]`, `scores int[]`.
"""

from __future__ import annotations

import re
from typing import Any

from smolctl.errors import InvalidGrammar

TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
"""The types by their names in the short form; text is what a field without one is."""

_NAME = re.compile(r"[^\W\d][\w-]*")
_LIST = "[]"


def schema_of(text: str) -> dict[str, Any]:
    """Return the JSON schema that `text` is short for: an object that has all fields, and no other.

    Raises `InvalidGrammar` for a field that is none, saying which, and for a text without fields.
    """
    separator = "\n" if "\n" in text.strip() else ","
    properties: dict[str, Any] = {}
    for field in text.split(separator):
        # A comma at the end of a line is a habit, and no part of the field.
        stripped = field.strip() if separator == "," else field.strip().removesuffix(",").strip()
        if not stripped:
            continue
        name, schema = _field(stripped)
        if name in properties:
            raise InvalidGrammar(f"the schema has two fields {name!r}")
        properties[name] = schema
    if not properties:
        raise InvalidGrammar("the schema has no fields", hint=_HINT)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_HINT = "It is written like this: 'name, age int, tags[], bio: one line'."


def _field(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of the field that `text` says, and its schema."""
    head, _, description = text.partition(":")
    words = head.replace(_LIST, f" {_LIST} ").split()
    listed = words[-1:] == [_LIST]
    if listed:
        words.pop()
    if not 1 <= len(words) <= 2 or not _NAME.fullmatch(words[0]):
        raise InvalidGrammar(f"the schema's field {text[:80]!r} cannot be read", hint=_HINT)
    kind = words[1] if len(words) == 2 else "str"
    if kind not in TYPES:
        raise InvalidGrammar(
            f"there is no type {kind[:80]!r}, which the schema's field {words[0]!r} has",
            hint=f"The types are {', '.join(TYPES)}, and [] after one for a list.",
        )
    schema: dict[str, Any] = {"type": TYPES[kind]}
    if listed:
        schema = {"type": "array", "items": schema}
    if description.strip():
        schema["description"] = description.strip()
    return words[0], schema
