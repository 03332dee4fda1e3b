"""`POST /v1/chat/completions`: the next message of a conversation."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from smolctl.engine.message_parts import MessageParts
from smolctl.runner.api.answer import Asked, answer
from smolctl.runner.api.exchange import dumps
from smolctl.runner.api.logprobs import chat_logprobs
from smolctl.runner.chat_document import tool_call_document
from smolctl.runner.chat_fields import parse_chat
from smolctl.runner.generation_fields import for_choice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.engine.chat import ReplyReader
    from smolctl.engine.conversation import Delta, ToolCallDelta
    from smolctl.engine.generation import Generation, Piece, TokenScore
    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.api.service import Service


async def chat_completions(exchange: Exchange, service: Service) -> None:
    """Answer with one message, or with several choices of it."""
    await answer(exchange, service, _read)


def _read(document: dict[str, Any], exchange: Exchange, service: Service) -> Asked:
    call = parse_chat(document)
    name = service.check_model(exchange, call.model)
    service.check_generates()
    # Rendered once: a slow template must not take `n` times as long.
    prepared = service.model.prepare(call.chat)
    choices = range(call.delivery.choices)
    sampling = call.chat.sampling
    return Asked(
        model=name,
        requests=[
            replace(prepared.request, sampling=for_choice(sampling, index)) for index in choices
        ],
        delivery=call.delivery,
        shape=_Messages(
            [deepcopy(prepared.reader) for _ in choices], logprobs=call.chat.logprobs is not None
        ),
        id_prefix="chatcmpl",
        object="chat.completion",
        chunk_object="chat.completion.chunk",
    )


class _Messages:
    """Choices that are messages, each with the reader that tells its parts apart."""

    def __init__(self, readers: Sequence[ReplyReader], *, logprobs: bool) -> None:
        self._readers = readers
        self._logprobs = logprobs
        self._messages = [MessageParts() for _ in readers]

    def first(self, index: int) -> str:
        """Return a choice without text: it is sent before there is any."""
        return _choice(index, '{"role":"assistant","content":""}', "null")

    def parts(self, index: int, piece: Piece | None) -> Iterator[str]:
        """Yield a choice for each part of the message that is certain."""
        for delta in self._read(index, piece):
            fields = _fields(delta)
            if fields:
                scores = dumps(_logprobs(delta.scores)) if self._logprobs else "null"
                yield _choice(index, dumps(fields), scores)

    def last(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice that says why the message ended."""
        reason = self._readers[index].finish_reason(generation.finish_reason)
        return {"index": index, "delta": {}, "logprobs": None, "finish_reason": reason}

    def add(self, index: int, piece: Piece | None) -> None:
        """Keep the parts of the message."""
        for delta in self._read(index, piece):
            self._messages[index].add(delta)

    def whole(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice with the whole message."""
        message = self._messages[index]
        return {
            "index": index,
            "message": _document(message),
            "logprobs": _logprobs(message.scores) if self._logprobs else None,
            "finish_reason": self._readers[index].finish_reason(generation.finish_reason),
        }

    def _read(self, index: int, piece: Piece | None) -> Iterator[Delta]:
        reader = self._readers[index]
        return reader.finish() if piece is None else reader.feed(piece)


def _document(message: MessageParts) -> dict[str, Any]:
    content, reasoning, calls = message.content, message.reasoning, message.tool_calls
    document: dict[str, Any] = {
        "role": "assistant",
        "content": None if calls and not content else content,
        "refusal": None,
    }
    if reasoning:
        document["reasoning_content"] = reasoning
    if calls:
        document["tool_calls"] = [tool_call_document(call) for call in calls]
    return document


def _choice(index: int, delta: str, logprobs: str) -> str:
    """Return a chunk's choice of `delta` and `logprobs`, which are JSON."""
    return f'{{"index":{index},"delta":{delta},"logprobs":{logprobs},"finish_reason":null}}'


def _fields(delta: Delta) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if delta.reasoning:
        fields["reasoning_content"] = delta.reasoning
    if delta.content or (delta.scores and not delta.reasoning):
        fields["content"] = delta.content
    if delta.tool_call is not None:
        fields["tool_calls"] = [_call_fields(delta.tool_call)]
    return fields


def _call_fields(call: ToolCallDelta) -> dict[str, Any]:
    function = {"arguments": call.arguments}
    if call.name is None:
        return {"index": call.index, "function": function}
    whole = {"name": call.name, **function}
    return {"index": call.index, "id": call.id, "type": "function", "function": whole}


def _logprobs(scores: Sequence[TokenScore]) -> dict[str, Any]:
    return {"content": chat_logprobs(scores), "refusal": None}
