"""Texts as OpenAI's API takes them: a string, several, or the same in tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.runner.fields import Fields

Text = str | tuple[int, ...]
"""A text, or the tokens of one."""

_MAXIMUM_TEXTS = 2048
_MAXIMUM_TOKEN = 2**31 - 1


def read_texts(request: Fields, name: str) -> list[Text]:
    """Return the texts that `request` has at `name`; at least one.

    Raises `InvalidField` for anything but a string, a list of strings, a list of tokens, or a
    list of such lists.
    """
    value = request.get(name)
    if value is None:
        request.fail(name, "is missing")
    if isinstance(value, str):
        return [value]
    items = request.items(name)
    if not items:
        request.fail(name, "is empty")
    if _is_tokens(items):
        return [tuple(items)]
    if len(items) > _MAXIMUM_TEXTS:
        request.fail(name, f"has {len(items)} texts, at most {_MAXIMUM_TEXTS}")
    if all(isinstance(item, str) for item in items):
        return items
    if all(isinstance(item, list) and item and _is_tokens(item) for item in items):
        return [tuple(item) for item in items]
    kinds = "a string, a list of strings, a list of tokens, or a list of those"
    return request.fail(name, f"must be {kinds}")


def tokens_of(text: Text, tokenize: Callable[[str], list[int]]) -> tuple[int, ...]:
    """Return the tokens of `text`."""
    return tuple(tokenize(text)) if isinstance(text, str) else text


def _is_tokens(items: list[Any]) -> bool:
    return all(type(item) is int and 0 <= item <= _MAXIMUM_TOKEN for item in items)
