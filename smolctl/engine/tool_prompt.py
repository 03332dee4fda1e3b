"""Tools for templates that do not know of them: told of in the messages' text.

The form is what SmolLM2-Instruct was trained on, from its `instructions_function_calling.md`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from smolctl.engine.conversation import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.conversation import Tool
    from smolctl.engine.tool_forms import ToolForm

_INSTRUCTIONS = """\
You are an expert in composing functions. You are given a question and a set of possible functions.
Based on the question, you will need to make one or more function/tool calls to achieve the purpose.
If none of the functions can be used, point it out and refuse to answer.
If the given question lacks the parameters required by the function, also point it out.

You have access to the following tools:
<tools>{tools}</tools>

The output MUST strictly adhere to the following format, and NO other text MUST be included.
The example format is as follows. Please make sure the parameter type is correct. If no function \
call is needed, please make the tool calls an empty list '[]'.
<tool_call>[
{{"name": "func_name1", "arguments": {{"argument1": "value1", "argument2": "value2"}}}},
... (more tool calls as required)
]</tool_call>"""


def with_tools(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Message]:
    """Return `messages` with the system's message saying which `tools` there are."""
    listed = json.dumps([tool.document() for tool in tools], ensure_ascii=False)
    text = _INSTRUCTIONS.format(tools=listed)
    if messages and messages[0].role == "system":
        return [Message("system", f"{messages[0].content}\n\n{text}"), *messages[1:]]
    return [Message("system", text), *messages]


def with_written_calls(
    messages: Sequence[Message], form: ToolForm, *, knows_results: bool
) -> list[Message]:
    """Return `messages` with calls written into the text, in `form`, and results as text.

    A result has the role `tool` if the template knows that, else it is the user who tells it.
    Raises `UsageError` for a call whose arguments are no JSON object.
    """
    made: list[Message] = []
    responses: list[str] = []
    for message in messages:
        if message.role == "tool" and not knows_results:
            responses.append(f"<tool_response>\n{message.content}\n</tool_response>")
            continue
        if responses and message.role == "user":  # some templates refuse two in a row
            message = Message("user", "\n".join([*responses, message.content]))
        elif responses:
            made.append(Message("user", "\n".join(responses)))
        responses.clear()
        if message.tool_calls:
            text = form.written(message.tool_calls)
            message = Message("assistant", f"{message.content}\n{text}".lstrip("\n"))
        made.append(message)
    if responses:
        made.append(Message("user", "\n".join(responses)))
    return made
