"""A prompt with places that the fields of a row fill: `Translate {text} into {language}:`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[^\W\d][\w -]*")
_SHOWN = 60


class Template:
    """A template's text, read. Braces that are meant as such are doubled: `{{`, `}}`.

    A place has a field's plain name and nothing else: no attributes, no indices, no formats, which
    in Python's own templates reach the objects behind the values. `fields` are the names. Raises
    `UsageError` for what is no template.
    """

    def __init__(self, text: str) -> None:
        self._texts: list[str] = []
        self._names: list[str] = []
        literal, end = "", 0
        for piece in _PIECE.finditer(text):
            literal += text[end : piece.start()]
            end = piece.end()
            if piece[0] in ("{{", "}}"):
                literal += piece[0][0]
                continue
            name = (piece[1] or "").strip()
            if not _NAME.fullmatch(name):
                raise UsageError(
                    f"the template's {piece[0][:_SHOWN]} is not the name of a field",
                    hint="A place is {name}; braces that are meant as such are doubled: {{ and }}.",
                )
            self._texts.append(literal)
            self._names.append(name)
            literal = ""
        self._texts.append(literal + text[end:])
        self.fields = frozenset(self._names)
        if not self.fields:
            raise UsageError(
                "the template names no field: each row would be the same",
                hint="'Translate {text} into {language}:' has two.",
            )

    def filled(self, row: Mapping[str, Any]) -> str:
        """Return the text with the fields of `row`; what is no string comes as JSON.

        Raises `UsageError` for a field that is missing or null.
        """
        text = self._texts[0]
        for name, following in zip(self._names, self._texts[1:], strict=True):
            value = row.get(name)
            if value is None:
                raise UsageError(f"the row has no field {name}, which the template names")
            text += value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            text += following
        return text
