"""What a chat is made of: messages, tools, a request for the next message, and its pieces."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.generation import TokenScore

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_MAXIMUM_TOOLS = 128
_MAXIMUM_DESCRIPTION = 16 * 1024
_MAXIMUM_SCHEMA = 128 * 1024
MAXIMUM_DEPTH = 64
"""How deeply the schema of a tool's arguments, and the arguments of a call, may be nested."""


class ToolCall(NamedTuple):
    """A call that a model wants made. `arguments` is a JSON object as text, as the model wrote it.

    `id` ties the result to the call.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Tool:
    """A function that a model may ask for. `parameters` is the JSON schema of its arguments.

    Without one it takes no arguments. Raises `UsageError` for a name that OpenAI's API would not
    take, for a schema that is none of an object, and for what is too large.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _TOOL_NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name[:80]!r} is no name of a tool",
                hint="It has up to 64 letters, digits, dots, dashes and underscores.",
            )
        if len(self.description) > _MAXIMUM_DESCRIPTION:
            raise UsageError(
                f"the description of the tool {self.name} has more than"
                f" {_MAXIMUM_DESCRIPTION} letters"
            )
        if not isinstance(self.parameters, dict):
            raise UsageError(f"the parameters of the tool {self.name} are no JSON object")
        if self.parameters.get("type", "object") != "object":
            raise UsageError(f"the parameters of the tool {self.name} are not of type object")
        if not _is_modest(self.parameters):
            raise UsageError(
                f"the parameters of the tool {self.name} are too large, nested too deeply, or no"
                " JSON"
            )

    def document(self) -> dict[str, Any]:
        """Return the tool as OpenAI's API and chat templates have it."""
        parameters = self.parameters or {"type": "object", "properties": {}}
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(parameters),
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. `role` is `system`, `user`, `assistant` or `tool`.

    An assistant's message may have `tool_calls`; a tool's message is the result of the call
    `tool_call_id`, and `name` the tool's.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None


class ToolChoice(NamedTuple):
    """Whether tools are called: as the model likes, not at all, or certainly.

    `name` is the one tool that must be called; it goes with `required`.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None


@dataclass(frozen=True)
class ChatRequest:
    """What the next message is asked for with. `logprobs` and `stop` as in `GenerationRequest`.

    `grammar` is what the message's text must follow. Raises `UsageError` for tools and choices
    that make no sense together.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    grammar: Grammar | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True

    def __post_init__(self) -> None:
        if len(self.tools) > _MAXIMUM_TOOLS:
            raise UsageError(f"there are {len(self.tools)} tools, at most {_MAXIMUM_TOOLS}")
        names = {tool.name for tool in self.tools}
        if len(names) < len(self.tools):
            raise UsageError("two tools have the same name")
        if self.tool_choice.name is not None and self.tool_choice.name not in names:
            raise UsageError(f"the tool to call is not among the tools: {self.tool_choice.name}")
        if self.tool_choice.mode == "required":
            if not names:
                raise UsageError("a tool must be called, but there are none")
            if self.grammar is not None:
                raise UsageError("a reply cannot follow a grammar and call a tool for certain")

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The tools that the reply may call."""
        return () if self.tool_choice.mode == "none" else self.tools


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of the message's call number `index`.

    The first piece of each call has its `id` and `name`; `arguments` are to be joined.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Delta(NamedTuple):
    """A piece of a message: text of the answer, of the reasoning before it, or of a tool call.

    `scores` are those of the tokens that the piece came with, where they were asked for.
    """

    content: str = ""
    reasoning: str = ""
    tool_call: ToolCallDelta | None = None
    scores: tuple[TokenScore, ...] = ()


def _is_modest(schema: Mapping[str, Any]) -> bool:
    """Whether `schema` is JSON of a sensible size and depth."""
    try:
        if len(json.dumps(schema, allow_nan=False)) > _MAXIMUM_SCHEMA:
            return False
    except (TypeError, ValueError, RecursionError):
        return False
    return depth_is_modest(schema)


def depth_is_modest(value: Any) -> bool:
    """Whether lists and objects in `value`, JSON as Python has it, are nested sensibly."""
    level = [value]
    for _ in range(MAXIMUM_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False
