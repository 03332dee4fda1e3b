"""Where a JSON object or array ends in text that streams."""

from __future__ import annotations

from typing import Literal

from smolctl.engine.conversation import MAXIMUM_DEPTH

_CLOSING = {"{": "}", "[": "]"}
_BETWEEN = frozenset(" \t\r\n,:+-.")


class JSONScanner:
    """Looks for the end of one object or array.

    It minds strings and brackets, and stops early where the text can be no JSON; whether it is,
    `json.loads` says in the end.
    """

    def __init__(self) -> None:
        self.state: Literal["open", "closed", "broken"] = "open"
        self._awaited: list[str] = []
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> int:
        """Return how many letters of `text` belong to the value, or can still.

        Less than all of them when the value is `closed`, or `broken` by the letter that follows.
        """
        for place, letter in enumerate(text):
            if self._in_string:
                self._string(letter)
            elif not self._outside(letter):
                self.state = "broken"
                return place
            elif not self._awaited:
                self.state = "closed"
                return place + 1
        return len(text)

    def _string(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._in_string = False

    def _outside(self, letter: str) -> bool:
        """Take `letter`, which is in no string; whether it can stand there."""
        if letter in _CLOSING:
            self._awaited.append(_CLOSING[letter])
            return len(self._awaited) <= MAXIMUM_DEPTH
        if not self._awaited:
            return False
        if letter == self._awaited[-1]:
            self._awaited.pop()
            return True
        self._in_string = letter == '"'
        return self._in_string or letter in _BETWEEN or (letter.isascii() and letter.isalnum())
