"""A chat request in JSON, read: the body of `POST /v1/chat/completions`.

The names are OpenAI's, and llama-server's for what OpenAI does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolCall, ToolChoice
from smolctl.errors import UsageError
from smolctl.runner.fields import Fields, InvalidField, sentence
from smolctl.runner.generation_fields import (
    Delivery,
    read_delivery,
    read_grammar,
    read_sampling,
    read_stop,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}

_MAXIMUM_TOP_LOGPROBS = 100


class ChatCall(NamedTuple):
    """A chat request as it came: what is asked, of which `model`, and how the reply is wanted."""

    chat: ChatRequest
    model: str | None = None
    delivery: Delivery = Delivery()


def parse_chat(document: Mapping[str, Any]) -> ChatCall:
    """Return the request that `document` is.

    Raises `UsageError` for what makes no sense or is not supported, most of the time as
    `InvalidField`, which names the parameter.
    """
    request = Fields(document)
    messages = tuple(_read_message(each) for each in request.children("messages"))
    if not messages:
        request.fail("messages", "is missing or empty")
    tools = tuple(_read_tool(each) for each in request.children("tools"))
    chat = ChatRequest(
        messages,
        sampling=read_sampling(request),
        stop=read_stop(request),
        logprobs=_read_logprobs(request),
        grammar=read_grammar(request),
        tools=tools,
        tool_choice=_read_choice(request),
        parallel_tool_calls=request.flag("parallel_tool_calls", default=True),
    )
    return ChatCall(chat, request.text("model"), read_delivery(request))


def parse_tools(document: Any) -> tuple[Tool, ...]:
    """Return the tools that `document`, the `tools` of a request, lists.

    Raises `UsageError` for what is none, with its place: `tools[0].function`.
    """
    return tuple(_read_tool(each) for each in Fields({"tools": document}).children("tools"))


def _read_message(message: Fields) -> Message:
    role = message.required_text("role")
    if role not in _ROLES:
        message.fail("role", f"must be one of {', '.join(_ROLES)}")
    calls = tuple(_read_tool_call(each) for each in message.children("tool_calls"))
    if calls and role != "assistant":
        message.fail("tool_calls", "goes with the role assistant only")
    return Message(
        _ROLES[role],
        _read_content(message, required=role != "assistant"),
        calls,
        message.text("tool_call_id"),
        message.text("name"),
    )


def _read_content(message: Fields, *, required: bool) -> str:
    """Return a message's text: a string, or parts with a text each, which become lines."""
    content = message.get("content")
    if content is None and not required:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        message.fail("content", "must be a string or a list of parts with text")
    texts = []
    for part in message.children("content"):
        kind = part.required_text("type")
        if kind != "text":
            part.fail("type", f"is {kind[:40]!r}: only text is supported")
        texts.append(part.text("text") or "")
    return "\n".join(texts)


def _read_tool_call(call: Fields) -> ToolCall:
    _check_function(call)
    function = call.required_child("function")
    name, arguments = function.required_text("name"), function.text("arguments") or ""
    return ToolCall(call.text("id") or "", name, arguments)


def _read_tool(tool: Fields) -> Tool:
    _check_function(tool)
    function = tool.required_child("function")
    parameters = function.child("parameters")
    try:
        return Tool(
            function.required_text("name"),
            function.text("description") or "",
            parameters.document if parameters is not None else {},
        )
    except InvalidField:
        raise
    except UsageError as error:
        raise InvalidField(tool.param("function"), sentence(error)) from error


def _check_function(tool: Fields) -> None:
    if tool.text("type") not in (None, "function"):
        tool.fail("type", "must be function: no other kind of tool is supported")


def _read_choice(request: Fields) -> ToolChoice:
    given = request.get("tool_choice")
    if isinstance(given, dict):
        choice = request.required_child("tool_choice")
        _check_function(choice)
        return ToolChoice("required", choice.required_child("function").required_text("name"))
    mode = request.choice("tool_choice", ("auto", "none", "required"))
    if mode == "none":
        return ToolChoice("none")
    return ToolChoice("required") if mode == "required" else ToolChoice()


def _read_logprobs(request: Fields) -> int | None:
    wanted = request.flag("logprobs")
    top = request.count("top_logprobs", 0, _MAXIMUM_TOP_LOGPROBS)
    if top and not wanted:
        raise InvalidField("top_logprobs", "top_logprobs needs logprobs to be true")
    return (top or 0) if wanted else None
