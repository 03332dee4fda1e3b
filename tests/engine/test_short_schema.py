"""Schemas as they are typed, and what a model is told of a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.engine.reply_schema import ReplySchema
from smolctl.engine.short_schema import TYPES, schema_of
from smolctl.errors import InvalidGrammar

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
DESCRIPTIONS = st.text(alphabet="abc xyz-YM:[](){}'\"", max_size=20).map(str.strip)
FIELDS = st.lists(
    st.tuples(NAMES, st.sampled_from(["", *TYPES]), st.booleans(), DESCRIPTIONS),
    min_size=1,
    max_size=6,
    unique_by=lambda field: field[0],
)


def properties(text: str) -> dict[str, Any]:
    found: dict[str, Any] = schema_of(text)["properties"]
    return found


@given(FIELDS, st.sampled_from([", ", ",", "\n", ",\n", "\n\n  "]))
def test_what_is_written_is_what_is_read(
    fields: list[tuple[str, str, bool, str]], separator: str
) -> None:
    written = separator.join(
        f"{name} {kind}{'[]' if listed else ''}{': ' if description else ''}{description}"
        for name, kind, listed, description in fields
    )
    schema = schema_of(written)
    assert schema["required"] == list(schema["properties"]) == [field[0] for field in fields]
    assert schema["additionalProperties"] is False
    for name, kind, listed, description in fields:
        expected: dict[str, Any] = {"type": TYPES[kind or "str"]}
        if listed:
            expected = {"type": "array", "items": expected}
        if description:
            expected["description"] = description
        assert schema["properties"][name] == expected
    assert ReplySchema(schema).grammar()


def test_a_list_may_have_its_brackets_at_the_name_or_the_type() -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    numbers = {"type": "array", "items": {"type": "integer"}}
    assert properties("tags[], scores int[]") == {"tags": texts, "scores": numbers}


def test_on_lines_descriptions_have_commas() -> None:
    assert properties("name\nbio: short, dry\n") == {
        "name": {"type": "string"},
        "bio": {"type": "string", "description": "short, dry"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name, age number", "no type 'number', which the schema's field 'age' has"),
        ("", "no fields"),
        (" , \n", "no fields"),
        ("name, name int", "two fields 'name'"),
        ("first name here", "'first name here' cannot be read"),
        ("1st", "'1st' cannot be read"),
        ("int[]x", "'int[]x' cannot be read"),
        (": described", "cannot be read"),
        ("a[][]", "no type '[]'"),
    ],
)
def test_what_is_no_field_is_named(text: str, message: str) -> None:
    with pytest.raises(InvalidGrammar) as raised:
        schema_of(text)
    assert message in raised.value.message


def test_an_unknown_type_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidGrammar) as raised:
        schema_of("age number")
    assert "int, float, bool, str" in str(raised.value.hint)


def test_the_model_is_told_names_kinds_and_descriptions() -> None:
    schema = schema_of("name, age int, tags[]: up to three, paid bool")
    assert ReplySchema(schema).instruction() == (
        "Give these fields as JSON:\n"
        "- name\n"
        "- age: a whole number\n"
        "- tags: a list of texts, up to three\n"
        "- paid: true or false"
    )
    assert ReplySchema(schema, many=True).instruction().startswith("Give all records as JSON")


def test_what_lines_cannot_say_is_told_as_it_is() -> None:
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"at": inner}}
    told = ReplySchema(schema).instruction()
    assert json.loads(told.partition("schema: ")[2]) == schema


def test_a_choice_is_told() -> None:
    schema = {"properties": {"size": {"enum": ["S", "L"]}}}
    assert '- size: one of "S", "L"' in ReplySchema(schema).instruction()


@pytest.mark.parametrize(
    ("value", "one", "many"),
    [
        ({"a": 1}, True, False),
        ({}, False, False),
        ([], False, False),
        ({"items": []}, False, True),
        ({"items": [{"a": 1}]}, False, True),
        ({"items": [{"b": 1}]}, False, False),
        ("a", False, False),
    ],
)
def test_what_ignored_the_schema_does_not_fit(value: Any, one: bool, many: bool) -> None:
    schema = schema_of("a int")
    assert ReplySchema(schema).fits(value) is one
    assert ReplySchema(schema, many=True).fits(value) is many
