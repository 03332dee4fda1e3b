"""A grammar of replies that call tools, in the form that the template's model writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.engine.json_schema import grammar_of_rules, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.conversation import Tool
    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.tool_forms import ToolForm

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "additionalProperties": False}


def grammar_of_calls(tools: Sequence[Tool], form: ToolForm, *, parallel: bool) -> Grammar:
    """Return the grammar of a reply that calls one of `tools`, or with `parallel` several times.

    Raises `InvalidGrammar` for a schema that cannot be followed.
    """
    calls, schemas = [], {}
    for number, tool in enumerate(tools):
        name = f"arguments{number}"
        schemas[name] = tool.parameters or _NO_ARGUMENTS
        calls.append(f"{literal(tool.name + form.between)} {name}")
    call = f"{literal(form.before)} ( {' | '.join(calls)} ) {literal(form.after)}"
    more = f"( {literal(form.separator)} call )*" if parallel else ""
    root = f"{literal(form.opening)} call {more} {literal(form.closing)}"
    return grammar_of_rules({"root": root, "call": call}, schemas)
