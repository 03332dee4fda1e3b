"""Templates of prompts: what fills them, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from smolctl.errors import UsageError
from smolctl.runner.batch.template import Template


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Translate {text} into {language}:", "Translate {a} b into French:"),
        ("{text}{text}", "{a} b{a} b"),
        ('{{"q": {n}}}', '{"q": 3}'),
        ("{list} {yes} { text }", '["é", 1] true {a} b'),
        ("{first name}{{}}", "Ada{}"),
    ],
)
def test_fields_fill_it(text: str, filled: str) -> None:
    row = {
        "text": "{a} b", "language": "French", "n": 3, "list": ["é", 1], "yes": True,
        "first name": "Ada",
    }  # fmt: skip
    assert Template(text).filled(row) == filled


@pytest.mark.parametrize(
    "text",
    [
        "{text.__class__}", "{text[0]}", "{text!r}", "{text:>9999999}", "{}", "{0}", "{text", "}",
        '{"a": {text}}', "{a{b}}",
    ],
)  # fmt: skip
def test_what_is_no_plain_field_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of a field") as raised:
        Template(text)
    assert "doubled" in str(raised.value.hint)


def test_a_template_without_fields_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="names no field"):
        Template("Hello {{name}}")


@pytest.mark.parametrize("row", [{}, {"text": None}])
def test_a_missing_field_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no field text,"):
        Template("{text}").filled(row)
