"""Calls written as elements, an argument in each: how Qwen3-Coder and GLM call tools.

    <function=NAME> <parameter=KEY> VALUE </parameter> </function>         Qwen3-Coder
    NAME <arg_key>KEY</arg_key> <arg_value>VALUE</arg_value> </tool_call>   GLM, from 4.5 on

Both stand in `<tool_call>`, which Qwen3-Coder leaves out at times. A value that is a text is
written as it is, any other as JSON; which of them it is, the tool's schema says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.engine.tool_forms import CLOSING_TAG, TAG
from smolctl.engine.tool_values import arguments_text, parsed_json

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTION = "<function="
FUNCTION_END = "</function>"

_LONGEST = 200
"""Letters from what opens a call to its first element."""

_NAME = r"(?P<name>[a-zA-Z0-9_.-]{1,64})"
_FUNCTION = re.compile(rf"{_NAME}>\s*(?=<parameter=|{FUNCTION_END})")
_TAGGED = re.compile(rf"{_NAME}\s*(?=<arg_key>|{CLOSING_TAG})")
_BEGUN = re.compile(r"(?:<function=)?[a-zA-Z0-9_.-]{0,64}>?\s*(?:</?[a-z_]{0,12}=?)?")
"""What the beginning of either may be, and some more."""

_ARGUMENTS = {
    FUNCTION_END: re.compile(
        r"\s*<parameter=(?P<key>[^<>\n]{1,200})>\n?(?P<value>.*?)\n?"
        r"(?:</parameter>|(?=<parameter=)|\Z)",
        re.DOTALL,
    ),
    CLOSING_TAG: re.compile(
        r"\s*<arg_key>(?P<key>[^<>]{1,200})</arg_key>\s*<arg_value>(?P<value>.*?)</arg_value>",
        re.DOTALL,
    ),
}


class Head(NamedTuple):
    """The beginning of a call: the tool's name, its letters up to the first element, the end."""

    name: str
    length: int
    end: str


def head_of(marker: str, text: str) -> Head | None:
    """Return the head of the call that `text` begins with, after `marker`; None without one."""
    prefix = FUNCTION if marker == TAG and text.startswith(FUNCTION) else ""
    is_function = bool(prefix) or marker == FUNCTION
    found = (_FUNCTION if is_function else _TAGGED).match(text, len(prefix))
    if found is None or found.end() > _LONGEST:
        return None
    return Head(found["name"], found.end(), FUNCTION_END if is_function else CLOSING_TAG)


def may_become_head(text: str) -> bool:
    """Whether more text may make a head of `text`."""
    return len(text) <= _LONGEST + len("<parameter=") and _BEGUN.fullmatch(text) is not None


def arguments_of(elements: str, end: str, schema: Mapping[str, Any]) -> str | None:
    """Return the arguments in `elements`, which `end` follows, as JSON; None where they are none.

    `schema` is that of the tool's parameters.
    """
    properties = schema.get("properties")
    arguments = {}
    at = 0
    while found := _ARGUMENTS[end].match(elements, at):
        at = found.end()
        key = found["key"].strip()
        known = properties.get(key) if isinstance(properties, dict) else None
        arguments[key] = _value(found["value"], known)
    if elements[at:].strip():
        return None
    try:
        return arguments_text(arguments)
    except (ValueError, RecursionError):
        return None


def _value(text: str, schema: Any) -> Any:
    """Return what `text` stands for: itself, unless the schema wants something else."""
    kinds = _kinds(schema)
    if not kinds or "string" in kinds:
        return text
    plain = text.strip()
    # As Python writes them, which models have learnt, too.
    plain = {"True": "true", "False": "false", "None": "null"}.get(plain, plain)
    try:
        return parsed_json(plain)
    except (ValueError, RecursionError):
        return text


def _kinds(schema: Any) -> set[str]:
    """Return the types that a value may have by its schema; none where that does not say."""
    if not isinstance(schema, dict):
        return set()
    stated = schema.get("type")
    kinds = {kind for kind in (stated if isinstance(stated, list) else [stated]) if kind}
    for keyword in ("anyOf", "oneOf"):
        choices = schema.get(keyword)
        for choice in choices if isinstance(choices, list) else ():
            kinds |= _kinds(choice)
    return {kind for kind in kinds if isinstance(kind, str)}
