"""How a request that generates is answered: whole, or as a stream of chunks.

Chats and plain completions differ in what a choice looks like (`Shape`), and in nothing else.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from smolctl.runner.api.accounts import timings_document, usage_document
from smolctl.runner.api.exchange import dumps, event
from smolctl.runner.fields import parse_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from smolctl.engine.generation import Generation, GenerationRequest, Piece
    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.api.replies import Replies
    from smolctl.runner.api.service import Service
    from smolctl.runner.generation_fields import Delivery

_END_OF_EVENTS = b"data: [DONE]\n\n"


class Shape(Protocol):
    """What the choices of an answer look like. It keeps what came of each, by its index."""

    def first(self, index: int) -> str:
        """Return, as JSON, the choice of the stream's first chunk; empty when it has none."""

    def parts(self, index: int, piece: Piece | None) -> Iterator[str]:
        """Yield, as JSON, the chunks' choices for `piece`; with None, what was held back."""

    def last(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice of the stream's chunk that ends it."""

    def add(self, index: int, piece: Piece | None) -> None:
        """Keep `piece` for the whole choice; None says that no more comes."""

    def whole(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice, when no more comes."""


@dataclass(frozen=True)
class Asked:
    """A request that was read: what is to be generated, and how the answer is wanted.

    `model` is what the request calls it. Each `delivery.choices` of the `requests` have one
    prompt. The answer calls itself an `object`, and a chunk of it `chunk_object`.
    """

    model: str
    requests: Sequence[GenerationRequest]
    delivery: Delivery
    shape: Shape
    id_prefix: str
    object: str
    chunk_object: str


async def answer(
    exchange: Exchange,
    service: Service,
    read: Callable[[dict[str, Any], Exchange, Service], Asked],
) -> None:
    """Answer the request that `read` makes of the body's JSON; it runs in a thread."""
    with service.replies() as replies:
        body = await exchange.body(replies.cancel)

        def begin() -> Asked:
            asked = read(parse_body(body), exchange, service)
            replies.begin(asked.requests)
            return asked

        # Hostile templates and grammars take seconds, which other requests need not wait for.
        asked = await service.readers.run(begin)
        if exchange.gone:
            return
        head = {
            "id": f"{asked.id_prefix}-{secrets.token_hex(12)}",
            "object": asked.chunk_object if asked.delivery.stream else asked.object,
            "created": int(time.time()),
            "model": asked.model,
            "system_fingerprint": service.fingerprint,
        }
        if asked.delivery.stream:
            await _stream(exchange, replies, asked, _Frame(head, asked.delivery))
        else:
            await _whole(exchange, replies, asked, head)


async def _whole(exchange: Exchange, replies: Replies, asked: Asked, head: dict[str, Any]) -> None:
    async for arrived in replies.arrivals():
        for index, piece in arrived:
            asked.shape.add(index, piece)
    if exchange.gone:
        return
    choices = [asked.shape.whole(*numbered) for numbered in enumerate(replies.generations)]
    accounts = _accounts(replies, asked.delivery)
    await exchange.send_json({**head, "choices": choices, **accounts})


async def _stream(exchange: Exchange, replies: Replies, asked: Asked, frame: _Frame) -> None:
    running = len(asked.requests)
    firsts = (asked.shape.first(index) for index in range(running))
    await exchange.open_stream(b"".join(frame.chunk(choice) for choice in firsts if choice))
    async for arrived in replies.arrivals():
        events = []
        for index, piece in arrived:
            events += [frame.chunk(choice) for choice in asked.shape.parts(index, piece)]
            if piece is None:
                running -= 1
                choice = asked.shape.last(index, replies.generations[index])
                if running or asked.delivery.include_usage:
                    events.append(frame.chunk(dumps(choice)))
                else:
                    timings = timings_document(replies.generations)
                    events.append(frame.last([choice], {"timings": timings}))
        if running and events:
            await exchange.write(b"".join(events))
    if exchange.gone:
        return
    if asked.delivery.include_usage:
        events.append(frame.last([], _accounts(replies, asked.delivery)))
    await exchange.end_stream(b"".join([*events, _END_OF_EVENTS]))


def _accounts(replies: Replies, delivery: Delivery) -> dict[str, Any]:
    return {
        "usage": usage_document(replies.generations, delivery.choices),
        "timings": timings_document(replies.generations),
    }


class _Frame:
    """What is around the choice of every chunk of one stream: written once, as there are many."""

    def __init__(self, head: dict[str, Any], delivery: Delivery) -> None:
        self._head = head
        self._start = f'data: {dumps(head)[:-1]},"choices":['
        # OpenAI's: where usage was asked for, every chunk has it, and all but the last have null.
        self._end = '],"usage":null}\n\n' if delivery.include_usage else "]}\n\n"

    def chunk(self, choice: str) -> bytes:
        """Return the event of a chunk with `choice`, which is JSON."""
        return f"{self._start}{choice}{self._end}".encode()

    def last(self, choices: list[dict[str, Any]], accounts: dict[str, Any]) -> bytes:
        """Return the event of the last chunk, which says what it all took."""
        return event({**self._head, "choices": choices, **accounts})
