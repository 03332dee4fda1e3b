"""The block of metadata that a README of a model may begin with, as Hugging Face's model cards do.

It is YAML between two lines of dashes, of which it takes a small part to say what is of use here:
`key: value`, and lists on one line or on several. Only that much is read. What is nested deeper,
or runs over several lines, is passed over: nothing is built whose size or depth the text chooses.

Source: Hugging Face, "Model card metadata".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAXIMUM_LINES = 2000
_MAXIMUM_ITEMS = 100
_MAXIMUM_LETTERS = 500
_KEY = re.compile(r"(?P<key>[A-Za-z][\w-]{0,63}):(?:[ \t]+(?P<value>.*))?")
_ITEM = re.compile(r"[ \t]*-[ \t]+(?P<value>.*)")
_NESTED = re.compile(r"[\w.-]+:([ \t]|$)")
_NOTHING = ("", "~", "null", "None")
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\/": "/"}


def split_front_matter(text: str) -> tuple[Mapping[str, Sequence[str]], str]:
    """Return the metadata that `text` begins with, by key, and the text after it.

    Each value is a list, of one item where it is no list. A text without metadata is returned as
    it is; so is one whose block does not end.
    """
    lines = text.split("\n", _MAXIMUM_LINES)
    if lines[0].rstrip() != "---":
        return {}, text
    end = next((n for n, line in enumerate(lines) if n and line.rstrip() in ("---", "...")), None)
    if end is None:
        return {}, text
    return _read(lines[1:end]), "\n".join(lines[end + 1 :])


def _read(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    items: list[str] | None = None  # of the key that the lines are about, if it takes any
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        item = _ITEM.fullmatch(line)
        if item is not None:
            if items is not None and len(items) < _MAXIMUM_ITEMS:
                items += _scalar(item["value"])
            continue
        pair = _KEY.fullmatch(line)
        if pair is None:
            items = None  # a map, or a text of several lines
            continue
        value = (pair["value"] or "").strip()
        items = found.setdefault(pair["key"], [])
        if value.startswith("["):
            items += _flow(value)
        elif value and not value.startswith("#"):
            items += _scalar(value)
        else:
            continue  # its items follow
        items = None
    return {key: values for key, values in found.items() if values}


def _flow(text: str) -> Iterator[str]:
    """Yield the items of a list on one line; none of one that does not end there."""
    inner = _uncommented(text)
    if not inner.endswith("]"):
        return
    for part in inner[1:-1].split(",", _MAXIMUM_ITEMS)[:_MAXIMUM_ITEMS]:
        yield from _scalar(part)


def _scalar(text: str) -> Iterator[str]:
    """Yield what `text` says, if it is plain or quoted text of one line."""
    text = text.strip()
    quote = text[:1]
    if quote in ("'", '"'):
        end = text.rfind(quote)
        if not end:
            return
        text = text[1:end]
        if quote == "'":
            text = text.replace("''", "'")
        else:
            text = re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], ""), text)
    elif quote in ("|", ">", "{", "[", "&", "*", "!", "%", "@", "`") or _NESTED.match(text):
        return
    else:
        text = _uncommented(text)
    text = " ".join(text.split())
    if text not in _NOTHING and len(text) <= _MAXIMUM_LETTERS:
        yield text


def _uncommented(text: str) -> str:
    comment = re.search(r"(^|[ \t])#", text)
    return (text if comment is None else text[: comment.start()]).strip()
