"""What a model wrote where a tool call is expected: JSON that is a call, or several, or none."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Collection


def new_call_id() -> str:
    """Return an ID for a call, as OpenAI's look."""
    return f"call_{secrets.token_hex(12)}"


def parsed_calls(
    text: str, name: str | None, tools: Collection[str], *, marked: bool
) -> list[tuple[str, str]] | None:
    """Return the calls that `text` is, names and arguments as JSON text; None when it is none.

    `text` is an object or a list; with `name` it is the arguments of one call of that tool. Each
    call must be of one of `tools`. A call may lack arguments where it is `marked` as one.
    """
    try:
        value = parsed_json(text)
        if name is not None:
            value = {"name": name, "arguments": value}
        entries = value if isinstance(value, list) else [value]
        return [_call(entry, tools, marked=marked) for entry in entries]
    except (ValueError, RecursionError):
        return None


def _call(entry: Any, tools: Collection[str], *, marked: bool) -> tuple[str, str]:
    """Return the name and the arguments of the call `entry`. Raises `ValueError` if it is none."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or name not in tools:
        raise ValueError("no tool")
    key = next((key for key in ("arguments", "parameters") if key in entry), None)
    if key is None and not marked:
        raise ValueError("no arguments")
    arguments = entry[key] if key is not None else {}
    if isinstance(arguments, str):  # as OpenAI's API has them, some models have learnt
        arguments = parsed_json(arguments)
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError("no object")
    return name, arguments_text(arguments)


def arguments_text(arguments: dict[str, Any]) -> str:
    """Return `arguments` as JSON. Raises `ValueError` for a number that JSON has not."""
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can only escape
        return json.dumps(arguments, allow_nan=False)
    return text


def parsed_json(text: str) -> Any:
    """Return the JSON value that a model wrote; ends of lines in strings may be as they are.

    Raises `ValueError` for what is none, and `RecursionError`.
    """
    return json.loads(text, strict=False, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
