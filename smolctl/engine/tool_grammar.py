"""A grammar of replies that call tools, in the form that the template's model writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.engine.gbnf import Grammar
from smolctl.engine.json_schema import PRIMITIVES, literal, rules_of
from smolctl.errors import InvalidGrammar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.conversation import Tool
    from smolctl.engine.tool_forms import ToolForm

_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "additionalProperties": False}


def grammar_of_calls(tools: Sequence[Tool], form: ToolForm, *, parallel: bool) -> Grammar:
    """Return the grammar of a reply that calls one of `tools`, or with `parallel` several times.

    Raises `InvalidGrammar` for a schema that cannot be followed.
    """
    calls, rules = [], []
    for number, tool in enumerate(tools):
        name = f"arguments{number}"
        try:
            rules += rules_of(tool.parameters or _NO_ARGUMENTS, name)
        except InvalidGrammar as error:
            raise InvalidGrammar(f"the tool {tool.name}: {error.message}") from None
        calls.append(f"{literal(tool.name + form.between)} {name}")
    more = f"( {literal(form.separator)} call )*" if parallel else ""
    head = [
        f"root ::= {literal(form.opening)} call {more} {literal(form.closing)}",
        f"call ::= {literal(form.before)} ( {' | '.join(calls)} ) {literal(form.after)}",
    ]
    return Grammar("\n".join([*head, *rules]) + PRIMITIVES)
