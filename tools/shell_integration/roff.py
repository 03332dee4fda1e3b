"""Text as roff, for man pages that groff and mandoc both read without a warning.

Source: groff_man(7), groff_char(7), man(7) of mandoc.
"""

from __future__ import annotations

import re

_GLYPHS = {
    "\\": "\\e",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
    "…": "...",
}
"""ASCII that groff would turn into a typographer's letter, and letters that a terminal may lack."""

_CODE = re.compile(r"`([^`]+)`|(?<![\w-])(--?[A-Za-z][\w-]*)")
"""What stands in backticks, and options wherever they stand."""


def literal(text: str) -> str:
    """Return `text` as it would be typed: dashes that can be copied, every letter its own."""
    return "".join(_glyph(letter) for letter in text).replace("-", "\\-")


def prose(text: str) -> str:
    """Return running text, in which `code` and options are bold."""
    parts: list[str] = []
    end = 0
    for match in _CODE.finditer(text):
        parts.append(_words(text[end : match.start()]))
        parts.append(f"\\fB{literal(match[1] or match[2])}\\fR")
        end = match.end()
    return "".join([*parts, _words(text[end:])])


def line(text: str) -> str:
    """Return text that is roff already, guarded where its first letter would make it a request."""
    return f"\\&{text}" if text.startswith((".", "'")) else text


def bold(text: str) -> str:
    """Return `text` as it is typed, in bold."""
    return f"\\fB{literal(text)}\\fR"


def italic(text: str) -> str:
    """Return `text`, which stands for what is to be put in its place, underlined."""
    return f"\\fI{literal(text)}\\fR"


def argument(text: str) -> str:
    """Return `text` as an argument of a macro: in quotes, those within it written otherwise."""
    return '"' + text.replace('"', "\\(dq") + '"'


def _words(text: str) -> str:
    return "".join(_glyph(letter) for letter in text)


def _glyph(letter: str) -> str:
    if letter in _GLYPHS:
        return _GLYPHS[letter]
    return letter if letter.isascii() else f"\\[u{ord(letter):04X}]"
