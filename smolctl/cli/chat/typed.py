"""What a person typed: a message, a command, or the beginning of a block."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTES = '"""'
_BLOCK = re.compile(r'\s*(?P<command>/\S+\s+)?"""(?P<rest>.*)', re.DOTALL)
_COMMAND = re.compile(r"/(?P<name>\S*)\s*(?P<argument>.*)", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """A message for the model."""

    text: str


@dataclass(frozen=True)
class Ordered:
    """A command to the chat: the name without its slash, and what stands after it."""

    name: str
    argument: str


def is_open(text: str) -> bool:
    """Whether `text` begins a block (`\"\"\"`, also after a command) and does not end it yet.

    A line that ends in `\"\"\"` ends it. Where more lines follow, such as in a pasted program that
    begins with a docstring, it is none.
    """
    block = _BLOCK.fullmatch(text)
    return block is not None and not any(map(_ends, block["rest"].split("\n")))


def _ends(line: str) -> bool:
    return line.rstrip().endswith(_QUOTES)


def understood(text: str, commands: frozenset[str]) -> Said | Ordered | None:
    """Return what `text` is; None for nothing. `commands` are the names that exist.

    Two slashes at the beginning of a line stand for one. Of several lines, such as pasted code,
    the first is a command only where there is one of that name.
    """
    text = whole_text(text)
    block = _BLOCK.fullmatch(text)
    if block is not None and not any(map(_ends, block["rest"].rstrip().split("\n")[:-1])):
        inner = block["rest"].rstrip().removesuffix(_QUOTES).strip("\n")
        if block["command"] is None:
            return Said(inner) if inner.strip() else None
        return Ordered(block["command"].strip().removeprefix("/"), inner)
    text = text.strip()
    if not text:
        return None
    command = _COMMAND.fullmatch(text)
    if command is None:
        return Said(text)
    if "\n" in text and command["name"] not in commands:
        return Said(text)
    if text.startswith("//"):
        return Said(text[1:])
    return Ordered(command["name"], command["argument"].strip())


def whole_text(text: str) -> str:
    """Return `text` with what no UTF-8 can carry replaced: keys of another encoding, typed."""
    return text.encode("utf-8", "replace").decode()
