"""What a chat is made of: messages, tools, a request for the next message, and its pieces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from smolctl.engine.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.generation import TokenScore


@dataclass(frozen=True)
class ToolCall:
    """A call that a model wants made. `arguments` is a JSON object as text, as the model wrote it.

    `id` ties the result to the call.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Tool:
    """A function that a model may ask for. `parameters` is the JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True)
class ToolChoice:
    """Whether tools are called: as the model likes, not at all, or certainly.

    `name` is the one tool that must be called; it goes with `required`.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None


@dataclass(frozen=True)
class ChatRequest:
    """What the next message is asked for with. `logprobs` and `stop` as in `GenerationRequest`.

    `grammar` is what the message's text must follow.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    grammar: Grammar | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel_tool_calls: bool = True


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of the message's call number `index`.

    The first piece of each call has its `id` and `name`; `arguments` are to be joined.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True)
class Delta:
    """A piece of a message: text of the answer, of the reasoning before it, or of a tool call.

    `scores` are those of the tokens that the piece came with, where they were asked for.
    """

    content: str = ""
    reasoning: str = ""
    tool_call: ToolCallDelta | None = None
    scores: tuple[TokenScore, ...] = ()
