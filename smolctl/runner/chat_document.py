"""A chat request as JSON: the body of `POST /v1/chat/completions`; `chat_fields.py` reads it.

The names are OpenAI's, and llama-server's for what OpenAI does not have. Nothing of a web server
is needed here, nor what reads requests: whoever asks a worker is to reach it soon.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from smolctl.engine.conversation import ToolChoice

if TYPE_CHECKING:
    from smolctl.engine.conversation import ChatRequest, Message, Tool, ToolCall
    from smolctl.engine.sampling import Sampling


def chat_document(chat: ChatRequest) -> dict[str, Any]:
    """Return `chat` as the body of a request; `chat_fields.parse_chat` undoes it.

    A grammar's root must be called `root`, as all of ours are. `model`, `stream` and the like are
    for the caller to add.
    """
    document: dict[str, Any] = {"messages": [_message_document(each) for each in chat.messages]}
    document |= sampling_fields(chat.sampling)
    if chat.stop:
        document["stop"] = list(chat.stop)
    if chat.logprobs is not None:
        document |= {"logprobs": True, "top_logprobs": chat.logprobs}
    if chat.grammar is not None:
        document["grammar"] = chat.grammar.source
    if chat.tools:
        document["tools"] = [_tool_document(tool) for tool in chat.tools]
    if chat.tool_choice != ToolChoice():
        document["tool_choice"] = _choice_document(chat.tool_choice)
    if not chat.parallel_tool_calls:
        document["parallel_tool_calls"] = False
    return document


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """Return `sampling` as parameters of a request; what has its default is left out."""
    document = {
        field.name: value
        for field in fields(sampling)
        if (value := getattr(sampling, field.name)) != field.default
    }
    if sampling.logit_bias:
        document["logit_bias"] = [
            [token, False if bias == -math.inf else bias] for token, bias in sampling.logit_bias
        ]
    return document


def tool_call_document(call: ToolCall) -> dict[str, Any]:
    """Return `call` as it stands in an assistant's message."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _message_document(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        document["tool_calls"] = [tool_call_document(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        document["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        document["name"] = message.name
    return document


def _tool_document(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}


def _choice_document(choice: ToolChoice) -> Any:
    if choice.name is None:
        return choice.mode
    return {"type": "function", "function": {"name": choice.name}}
