"""The form that a reply is to have, as the flags say it: grammar, schema, tools."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.cli.prompt_sources import FILE_SIGN
from smolctl.cli.reply_flags import ReplyFormat
from smolctl.cli.text_file import read_text_file
from smolctl.engine.conversation import ChatRequest, Tool, ToolChoice
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from smolctl.cli.reply_flags import ReplyFlags
    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.reply_schema import ReplySchema

_OBJECT_NOTE = "Answer with a JSON object."


class ReplyForm(NamedTuple):
    """What a request adds for the reply to have its form.

    `note` is what the prompt says of it. `is_json` says that the reply is JSON; `schema` is which.
    """

    grammar: Grammar | None = None
    note: str = ""
    is_json: bool = False
    schema: ReplySchema | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()

    @classmethod
    def read(cls, flags: ReplyFlags) -> ReplyForm:
        """Return the form that `flags` ask for; files are read here.

        Raises `UsageError` for what is broken, and `StorageError` for files that cannot be read.
        """
        if flags.schema is not None or flags.schema_multi is not None:
            from smolctl.engine.reply_schema import ReplySchema

            schema = read_schema(flags.schema or flags.schema_multi or "")
            wanted = ReplySchema(schema, many=flags.schema_multi is not None)
            return cls(wanted.grammar(), wanted.instruction(), is_json=True, schema=wanted)
        if flags.format is ReplyFormat.json:
            from smolctl.engine.json_schema import JSON_OBJECT

            return cls(JSON_OBJECT, _OBJECT_NOTE, is_json=True)
        if flags.grammar is not None:
            from smolctl.engine.gbnf import Grammar

            return cls(Grammar(read_text_file(flags.grammar)))
        if flags.tools is not None:
            form = cls(tools=read_tools(flags.tools), tool_choice=_choice(flags.tool_choice))
            form.on(ChatRequest(()))  # which says what clashes, before a model is loaded
            return form
        return cls()

    def on(self, request: ChatRequest) -> ChatRequest:
        """Return `request` for a reply of this form. Raises `UsageError` for tools that clash."""
        return replace(
            request, grammar=self.grammar, tools=self.tools, tool_choice=self.tool_choice
        )


def read_schema(value: str) -> Any:
    """Return the JSON schema that `--schema` names: as JSON, in a file, or in the short form.

    JSON begins with a brace. `@FILE` is a file, and so is one word with a dot or a slash in it,
    and a name that ends with `.json` where there is such a file. Raises `UsageError` for what is
    none of them.
    """
    if value.lstrip().startswith("{"):
        return _json(value, "the schema")
    name = value.removeprefix(FILE_SIGN)
    path = os.path.expanduser(name)  # noqa: PTH111 - a value is no path yet
    word = re.fullmatch(r"\S*[./]\S*", value) and not re.search(r"[:,]", value)
    there = value.endswith(".json") and "\n" not in value and os.path.isfile(path)  # noqa: PTH113
    if name != value or word or there:
        text = read_text_file(path)
        if text.lstrip().startswith("{"):
            return _json(text, name)
        value = text  # the short form does not have to be typed each time
    from smolctl.engine.short_schema import schema_of

    return schema_of(value)


def read_tools(path: Path) -> tuple[Tool, ...]:
    """Return the tools in a file: OpenAI's list of them, one alone, or an object with `tools`.

    Raises `UsageError` for what is none of these, naming the place.
    """
    from smolctl.runner.chat_fields import parse_tools

    document = _json(read_text_file(path), str(path))
    if isinstance(document, dict):
        document = document.get("tools", [document])
    try:
        tools = parse_tools(document)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from None
    if not tools:
        raise UsageError(f"{path} has no tools")
    return tools


def _choice(value: str | None) -> ToolChoice:
    if value is None or value == "auto":
        return ToolChoice()
    return ToolChoice("required", None if value == "required" else value)


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not valid JSON: {error}") from None
