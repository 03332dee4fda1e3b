"""A reply as one JSON object: `run --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.cli.reply_output import check_calls, check_form
from smolctl.cli.statistics import timings_json, tokens_per_second, usage_json
from smolctl.cli.tool_output import arguments_of
from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from smolctl.cli.output import Output
    from smolctl.cli.reply_form import ReplyForm
    from smolctl.engine.conversation import Delta
    from smolctl.engine.generation import Timings, Usage
    from smolctl.engine.message_parts import MessageParts
    from smolctl.runner.chat_model import ChatModel, ChatReply


class DocumentOutput:
    """The reply when it is over: laid out for a person, else on one line.

    It has the same names whatever is known; what is not is null. An interrupted reply has the
    finish reason `cancelled`.
    """

    def __init__(self, output: Output, model: ChatModel, form: ReplyForm) -> None:
        self._output = output
        self._model = model
        self._form = form

    def add(self, delta: Delta, parts: MessageParts) -> bool:
        """Wait for all of it."""
        del delta, parts
        return True

    def finish(self, parts: MessageParts, reply: ChatReply, *, interrupted: bool) -> None:
        """Print the object; of a reply that failed before anything came, there is none."""
        if interrupted and not (parts.content or parts.reasoning or parts.tool_calls):
            return
        reason = "cancelled" if interrupted else reply.finish_reason
        document = {
            "model": self._model.name,
            "text": parts.content,
            **self._data(parts, reason),
            "reasoning": parts.reasoning or None,
            "tool_calls": [
                {"name": call.name, "arguments": arguments_of(call, over=True), "id": call.id}
                for call in parts.tool_calls
            ],
            "finish_reason": reason,
            **_cost(self._model.load_seconds, reply.usage, reply.timings),
        }
        self._output.json(document, on_one_line=not self._output.stdout_is_terminal)

    def check(self, parts: MessageParts, finish_reason: str | None) -> None:
        """Refuse what is not of the form that was asked for."""
        check_form(self._form, parts.content, finish_reason)
        if self._form.tools:
            check_calls(self._form, parts.tool_calls, finish_reason)

    def _data(self, parts: MessageParts, reason: str | None) -> dict[str, Any]:
        """Return the text as JSON, where it was to be some; null when it is none."""
        if not self._form.is_json:
            return {}
        try:
            return {"data": check_form(self._form, parts.content, reason)}
        except NotRunnable:
            return {"data": None}


def _cost(
    load_seconds: float | None, usage: Usage | None, timings: Timings | None
) -> dict[str, Any]:
    """Return the tokens, the seconds, and tokens a second."""
    prompt = generated = None
    if usage is not None and timings is not None:
        prompt = tokens_per_second(usage.prompt - usage.cached, timings.prompt)
        generated = tokens_per_second(usage.completion, timings.generation)
    return {
        "usage": usage_json(usage),
        "timings": {"load_seconds": _rounded(load_seconds), **timings_json(timings)},
        "rates": {
            "prompt_tokens_per_second": _rounded(prompt),
            "completion_tokens_per_second": _rounded(generated),
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
