"""Messages as chat templates take them, and the ways in which templates differ about it.

Templates agree on Hugging Face's form of a message with tool calls, but for details that none of
them states. So a template is asked: it renders a small conversation in one way after another, until
the call and its result stand in the text as they should.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from smolctl.engine.conversation import Message, Tool, ToolCall, depth_is_modest
from smolctl.errors import NotRunnable, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SECONDS = 1.0
"""How long a template may be asked; most answer in a millisecond."""

_SHORT_ID = re.compile(r"[a-zA-Z0-9]{9}")

OTHER_TOOL = Tool("other_tool")
"""A tool that templates are told of while they are asked; the calls are of another."""

_WANTED = ("asked_1", "probe_tool", "probe_key", "value_1", "result_1")
_UNWANTED = ('\\"probe_key', "'probe_key", '"{')
"""How arguments look that were given as text where an object is wanted, or the other way round."""


@dataclass(frozen=True)
class MessageStyle:
    """How a template wants messages with tool calls.

    `text_arguments`: arguments are JSON text, not an object. `no_content`: a message with calls has
    None as its content, not a text. `short_ids`: the ID of a call has nine letters and digits
    (Mistral's templates refuse others). `one_call`: a message has one call at most (Llama 3's).
    """

    text_arguments: bool = False
    no_content: bool = False
    short_ids: bool = False
    one_call: bool = False


def find_style(render: Callable[[Sequence[Message], MessageStyle], str]) -> MessageStyle | None:
    """Return the style in which `render`, a template, writes calls and results as it should.

    None when there is none: the template knows nothing of calls.
    """
    end = time.monotonic() + _SECONDS
    for short_ids, text_arguments, no_content in product((False, True), repeat=3):
        style = MessageStyle(text_arguments, no_content, short_ids)
        if _writes(render, style, _conversation(1), _WANTED):
            both = _writes(render, style, _conversation(2), (*_WANTED, "value_2", "result_2"))
            return style if both else replace(style, one_call=True)
        if time.monotonic() > end:
            return None
    return None


def _writes(
    render: Callable[[Sequence[Message], MessageStyle], str],
    style: MessageStyle,
    messages: Sequence[Message],
    wanted: Sequence[str],
) -> bool:
    """Whether `render` writes `messages` in full, and in good form."""
    try:
        text = render(messages, style)
    except NotRunnable:
        return False
    unwanted = (*_UNWANTED, "None") if style.no_content else _UNWANTED
    return all(word in text for word in wanted) and not any(mark in text for mark in unwanted)


def _conversation(calls: int) -> list[Message]:
    """Return a conversation with that many calls in one message, and their results."""
    made = tuple(
        ToolCall(f"call_{number}", "probe_tool", f'{{"probe_key": "value_{number}"}}')
        for number in range(1, calls + 1)
    )
    results = (
        Message("tool", f"result_{number}", tool_call_id=call.id, name=call.name)
        for number, call in enumerate(made, 1)
    )
    return [Message("user", "asked_1"), Message("assistant", "", made), *results]


def plain_messages(messages: Sequence[Message], style: MessageStyle) -> list[dict[str, Any]]:
    """Return `messages` as a template gets them.

    Raises `UsageError` for a call whose arguments are no JSON object.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    if style.one_call:
        messages = _one_call_a_message(messages)
    plain = []
    for message in messages:
        if message.tool_calls and message.content and style.no_content:
            plain.append({"role": message.role, "content": message.content})
            message = replace(message, content="")
        plain.append(_plain(message, style, names))
    return plain


def _plain(message: Message, style: MessageStyle, names: dict[str, str]) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        if style.no_content:
            plain["content"] = None
        plain["tool_calls"] = [
            {
                "id": _id(call.id, style),
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call, style)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        plain["tool_call_id"] = _id(message.tool_call_id, style)
    name = message.name or names.get(message.tool_call_id or "")
    if name is not None:
        plain["name"] = name
    return plain


def _id(text: str, style: MessageStyle) -> str:
    if not style.short_ids or _SHORT_ID.fullmatch(text):
        return text
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:9]


def _arguments(call: ToolCall, style: MessageStyle) -> dict[str, Any] | str:
    arguments = parsed_arguments(call)
    return json.dumps(arguments, ensure_ascii=False) if style.text_arguments else arguments


def parsed_arguments(call: ToolCall) -> dict[str, Any]:
    """Return the arguments of a call that was made before.

    Raises `UsageError` when they are no JSON object.
    """
    try:
        arguments = json.loads(call.arguments or "{}", strict=False)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict) or not depth_is_modest(arguments):
        raise UsageError(f"the arguments of a call of {call.name[:80]!r} are no JSON object")
    return arguments


def without_system(messages: Sequence[Message]) -> list[Message] | None:
    """Return `messages` with a leading system message joined to the user's; None if none leads."""
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return None
    joined = f"{messages[0].content}\n\n{messages[1].content}"
    return [Message("user", joined), *messages[2:]]


def _one_call_a_message(messages: Sequence[Message]) -> list[Message]:
    """Return `messages` with each of several calls in a message of its own, its result after it."""
    made: list[Message] = []
    results = {
        message.tool_call_id: message
        for message in messages
        if message.role == "tool" and message.tool_call_id is not None
    }
    moved: set[str] = set()
    for message in messages:
        if message.role == "tool" and message.tool_call_id in moved:
            continue
        if len(message.tool_calls) < 2:
            made.append(message)
            continue
        content = message.content
        for call in message.tool_calls:
            made.append(replace(message, content=content, tool_calls=(call,)))
            content = ""
            if call.id in results:
                made.append(results[call.id])
                moved.add(call.id)
    return made
