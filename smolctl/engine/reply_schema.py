"""A JSON schema for a reply: what the reply must follow, what the model is told of it, the check.

A grammar makes the reply parse, but says nothing to the model: it takes away what does not fit
from the tokens that the model would have chosen, and a model that meant to write a sentence ends up
with its first words in a string. The names of the fields arrive too late for it to look for them,
and their descriptions never. So the fields are told to the model as well, in words, and at the
beginning of its prompt, where one schema and many texts have one prefix in the KV cache.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import PRIMITIVES, rules_of

MANY = "items"
"""What the list of records is called; so it is by the `llm` command."""

_KINDS = {
    "string": "",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_LISTS = {
    "string": "a list of texts",
    "integer": "a list of whole numbers",
    "number": "a list of numbers",
    "boolean": "a list of true and false",
}
_PLAIN = {"type", "properties", "required", "additionalProperties", "title", "description"}
_PLAIN |= {"$schema", "$id"}


@dataclass(frozen=True)
class ReplySchema:
    """A schema for the reply, or with `many` for each record in its list of them."""

    schema: Any
    many: bool = False

    def grammar(self) -> Grammar:
        """Return the grammar that the reply must follow.

        Raises `InvalidGrammar` for a schema that is broken or cannot be followed.
        """
        root = "schema"
        if self.many:
            listed = '"[" space ( schema ( "," space schema )* space )? "]"'
            root = f'"{{" space "\\"{MANY}\\":" space {listed} space "}}"'
        return Grammar(
            "\n".join([f"root ::= {root}", *rules_of(self.schema, "schema")]) + PRIMITIVES
        )

    def instruction(self) -> str:
        """Return what the model is told: the fields of a plain schema, else the schema itself."""
        fields = _fields(self.schema)
        if fields is None:
            each = f"a list {MANY} of objects, each" if self.many else "a value"
            text = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
            return f"Answer with JSON: {each} by this schema: {text}"
        what = (
            "all records as JSON, each with these fields" if self.many else "these fields as JSON"
        )
        return "\n".join([f"Give {what}:", *fields])

    def fits(self, value: Any) -> bool:
        """Whether `value` has the schema's outermost type and names, as what ignored it may not."""
        if self.many:
            records = value.get(MANY) if isinstance(value, dict) else None
            return isinstance(records, list) and all(_fits(self.schema, each) for each in records)
        return _fits(self.schema, value)


def _fields(schema: Any) -> list[str] | None:
    """Return a line for each field of `schema`; None where lines cannot say it all."""
    if not isinstance(schema, dict) or not schema.get("properties") or schema.keys() - _PLAIN:
        return None
    lines = []
    for name, field in schema["properties"].items():
        kind = _kind(field)
        if kind is None:
            return None
        notes = [note for note in (kind, field.get("description")) if note]
        lines.append(f"- {name}: {', '.join(notes)}" if notes else f"- {name}")
    return lines


def _kind(field: Any) -> str | None:
    """Return what a field of one type is, in words; None for one that is more than that."""
    if not isinstance(field, dict) or not isinstance(field.get("description", ""), str):
        return None
    keywords = field.keys() - {"title", "description"}
    kind = field.get("type")
    if keywords == {"type"} and isinstance(kind, str):
        return _KINDS.get(kind)
    if "enum" in keywords and keywords <= {"type", "enum"}:
        return "one of " + ", ".join(json.dumps(each, ensure_ascii=False) for each in field["enum"])
    items = field.get("items")
    if kind == "array" and keywords == {"type", "items"} and isinstance(items, dict):
        inner = items.get("type")
        return _LISTS.get(inner) if items.keys() == {"type"} and isinstance(inner, str) else None
    return None


def _fits(schema: Any, value: Any) -> bool:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return True
    return isinstance(value, dict) and all(name in value for name in schema.get("required", []))
