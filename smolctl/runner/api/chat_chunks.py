"""The chunks of a streamed chat: OpenAI's `chat.completion.chunk`, one event each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.runner.api.accounts import timings_document, usage_document
from smolctl.runner.api.exchange import dumps, event
from smolctl.runner.api.logprobs import chat_logprobs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smolctl.engine.conversation import Delta, ToolCallDelta
    from smolctl.engine.generation import Generation
    from smolctl.runner.generation_fields import Delivery


class Chunks:
    """The chunks of one stream. What they have in common is written once."""

    def __init__(self, head: Mapping[str, Any], delivery: Delivery, *, logprobs: bool) -> None:
        self.count = delivery.choices
        self._head = {**head, "object": "chat.completion.chunk"}
        self._logprobs = logprobs
        # OpenAI's: where usage was asked for, every chunk has it, and all but the last have null.
        self._nulls = {"usage": None} if delivery.include_usage else {}
        self._start = f'data: {dumps(self._head)[:-1]},"choices":['
        self._end = '],"usage":null}\n\n' if self._nulls else "]}\n\n"

    def first(self, index: int) -> bytes:
        """Return the chunk that begins the choice `index`."""
        return self.chunk(index, '{"role":"assistant","content":""}')

    def chunk(self, index: int, delta: str, logprobs: str = "null") -> bytes:
        """Return the chunk of the choice `index` with `delta` and `logprobs`, which are JSON."""
        return (
            f'{self._start}{{"index":{index},"delta":{delta},"logprobs":{logprobs},'
            f'"finish_reason":null}}{self._end}'
        ).encode()

    def delta(self, index: int, delta: Delta) -> bytes:
        """Return the chunk of a piece of a message."""
        fields: dict[str, Any] = {}
        if delta.reasoning:
            fields["reasoning_content"] = delta.reasoning
        if delta.content or delta.scores:
            fields["content"] = delta.content
        if delta.tool_call is not None:
            fields["tool_calls"] = [_call_document(delta.tool_call)]
        if not fields:
            return b""
        if not self._logprobs:
            return self.chunk(index, dumps(fields))
        scores = {"content": chat_logprobs(delta.scores), "refusal": None}
        return self.chunk(index, dumps(fields), dumps(scores))

    def last(self, index: int, reason: str | None, timings: dict[str, Any] | None) -> bytes:
        """Return the chunk that ends the choice `index`."""
        choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}
        more = {"timings": timings} if timings is not None else {}
        return event({**self._head, "choices": [choice], **self._nulls, **more})

    def usage(self, generations: list[Generation]) -> bytes:
        """Return the chunk with the tokens of all choices, which has no choice itself."""
        accounts = {
            "usage": usage_document(generations, self.count),
            "timings": timings_document(generations),
        }
        return event({**self._head, "choices": [], **accounts})


def _call_document(call: ToolCallDelta) -> dict[str, Any]:
    function = {"arguments": call.arguments}
    if call.name is None:
        return {"index": call.index, "function": function}
    whole = {"name": call.name, **function}
    return {"index": call.index, "id": call.id, "type": "function", "function": whole}
