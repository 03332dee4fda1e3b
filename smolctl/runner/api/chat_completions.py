"""`POST /v1/chat/completions`: the next message of a conversation, whole or as it comes."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from smolctl.engine.conversation import ToolCall
from smolctl.runner.api.accounts import timings_document, usage_document
from smolctl.runner.api.chat_chunks import Chunks
from smolctl.runner.api.exchange import END_OF_EVENTS
from smolctl.runner.api.logprobs import chat_logprobs
from smolctl.runner.chat_document import parse_chat, tool_call_document
from smolctl.runner.fields import parse_body
from smolctl.runner.generation_fields import for_choice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.engine.chat import ReplyReader
    from smolctl.engine.conversation import Delta, ToolCallDelta
    from smolctl.engine.generation import Generation, Piece
    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.api.replies import Replies
    from smolctl.runner.api.service import Service
    from smolctl.runner.generation_fields import Delivery


@dataclass(frozen=True)
class _Answer:
    """What an answer is made of: what all its chunks say, how it is wanted, and its readers."""

    head: dict[str, Any]
    delivery: Delivery
    readers: list[ReplyReader]
    logprobs: bool


async def chat_completions(exchange: Exchange, service: Service) -> None:
    """Answer with one message, or with several choices of it."""
    with service.replies() as replies:
        body = await exchange.body(replies.cancel)
        # Hostile templates and grammars take seconds, which other requests need not wait for.
        answer = await run_in_threadpool(_begin, body, exchange, service, replies)
        if exchange.gone:
            return
        if answer.delivery.stream:
            await _stream(exchange, answer, replies)
        else:
            await _whole(exchange, answer, replies)


def _begin(body: bytes, exchange: Exchange, service: Service, replies: Replies) -> _Answer:
    """Read the request and submit it, in a thread of its own."""
    call = parse_chat(parse_body(body))
    name = service.check_model(exchange, call.model)
    service.check_generates()
    head = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "system_fingerprint": service.fingerprint,
    }
    chat = call.chat
    prepared = [
        service.model.prepare(replace(chat, sampling=for_choice(chat.sampling, index)))
        for index in range(call.delivery.choices)
    ]
    replies.submit(each.request for each in prepared)
    readers = [each.reader for each in prepared]
    return _Answer(head, call.delivery, readers, chat.logprobs is not None)


async def _whole(exchange: Exchange, answer: _Answer, replies: Replies) -> None:
    messages = [_Message() for _ in answer.readers]
    async for arrived in replies.arrivals():
        for index, piece in arrived:
            for delta in _read(answer.readers[index], piece):
                messages[index].add(delta)
    if exchange.gone:
        return
    choices = [
        {
            "index": index,
            "message": message.document(),
            "logprobs": {"content": message.scores, "refusal": None} if answer.logprobs else None,
            "finish_reason": _finish_reason(replies.generations[index], answer.readers[index]),
        }
        for index, message in enumerate(messages)
    ]
    await exchange.send_json(
        {
            **answer.head,
            "choices": choices,
            "usage": usage_document(replies.generations, len(choices)),
            "timings": timings_document(replies.generations),
        }
    )


async def _stream(exchange: Exchange, answer: _Answer, replies: Replies) -> None:
    chunks = Chunks(answer.head, answer.delivery, logprobs=answer.logprobs)
    await exchange.open_stream(b"".join(chunks.first(index) for index in range(chunks.count)))
    running = chunks.count
    async for arrived in replies.arrivals():
        events = []
        for index, piece in arrived:
            reader = answer.readers[index]
            events += [chunks.delta(index, delta) for delta in _read(reader, piece)]
            if piece is None:
                running -= 1
                reason = _finish_reason(replies.generations[index], reader)
                timed = running == 0 and not answer.delivery.include_usage
                timings = timings_document(replies.generations) if timed else None
                events.append(chunks.last(index, reason, timings))
        if running and events:
            await exchange.write(b"".join(events))
    if exchange.gone:
        return
    if answer.delivery.include_usage:
        events.append(chunks.usage(replies.generations))
    await exchange.end_stream(b"".join([*events, END_OF_EVENTS]))


def _read(reader: ReplyReader, piece: Piece | None) -> Iterator[Delta]:
    """Return what is certain with `piece`, or at the end with None."""
    return reader.finish() if piece is None else reader.feed(piece)


def _finish_reason(generation: Generation, reader: ReplyReader) -> str | None:
    if generation.finish_reason == "stop" and reader.called_tools:
        return "tool_calls"
    return generation.finish_reason


class _Message:
    """A message while its pieces come."""

    def __init__(self) -> None:
        self.scores: list[dict[str, Any]] = []
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def add(self, delta: Delta) -> None:
        self._content.append(delta.content)
        self._reasoning.append(delta.reasoning)
        self.scores += chat_logprobs(delta.scores)
        if delta.tool_call is not None:
            self._calls.setdefault(delta.tool_call.index, []).append(delta.tool_call)

    def document(self) -> dict[str, Any]:
        content, reasoning = "".join(self._content), "".join(self._reasoning)
        document: dict[str, Any] = {
            "role": "assistant",
            "content": None if self._calls and not content else content,
            "refusal": None,
        }
        if reasoning:
            document["reasoning_content"] = reasoning
        if self._calls:
            document["tool_calls"] = [
                tool_call_document(_joined(pieces)) for _, pieces in sorted(self._calls.items())
            ]
        return document


def _joined(pieces: list[ToolCallDelta]) -> ToolCall:
    return ToolCall(
        pieces[0].id or "",
        pieces[0].name or "",
        "".join(piece.arguments for piece in pieces),
    )
