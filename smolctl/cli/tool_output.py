"""Tool calls on stdout, a JSON object a line; what else the model says goes to stderr."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from smolctl.cli.reply_output import check_calls
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.cli.reply_form import ReplyForm
    from smolctl.engine.conversation import Delta, ToolCall
    from smolctl.engine.message_parts import MessageParts
    from smolctl.runner.chat_model import ChatReply


class ToolOutput:
    """The calls of one reply, each when it is whole."""

    def __init__(self, output: Output, form: ReplyForm) -> None:
        self._output = output
        self._form = form
        self._printed = 0
        self._ended = True

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Print text on stderr, and the calls that are whole by now."""
        text = delta.reasoning + delta.content
        if text:
            self._ended = text.endswith("\n")
            self._output.aside(text)
        if delta.tool_call is not None:
            self._print(parts.tool_calls, over=False)
        return True

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """Print the calls that are left, and end the line on stderr."""
        del reply
        if not self._ended:
            self._output.aside("\n")
        self._print(parts.tool_calls, over=not interrupted)

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Refuse calls that were cut, or are not there though they had to be."""
        calls = parts.tool_calls
        check_calls(self._form, calls, finish_reason)
        if self._printed < len(calls):
            name = calls[self._printed].name
            raise NotRunnable(f"the arguments of the call of {name} are no JSON object")

    def _print(self, calls: tuple[ToolCall, ...], *, over: bool) -> None:
        """Print each call that is whole, in their order."""
        for call in calls[self._printed :]:
            arguments = arguments_of(call, over=over)
            if arguments is None:
                return
            document = {"name": call.name, "arguments": arguments, "id": call.id}
            self._output.json(document, on_one_line=True)
            self._output.flush()
            self._printed += 1


def arguments_of(call: ToolCall, *, over: bool) -> dict[str, Any] | None:
    """Return the arguments of `call`; None where they are no whole object.

    Some servers write nothing for no arguments, which shows once the reply is `over`.
    """
    try:
        value = json.loads("{}" if over and not call.arguments else call.arguments)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
