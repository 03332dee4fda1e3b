"""Several callers at once over HTTP: the tokens that they get, and how long the first takes."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india")


@dataclass(frozen=True)
class Reply:
    """One caller's reply: its tokens, and seconds from the request to the first and the last."""

    tokens: int
    first: float
    seconds: float


@dataclass(frozen=True)
class Load:
    """What all callers got: tokens a second in total, and the median time to first token."""

    tokens_per_second: float
    first_token: float

    @classmethod
    def of(cls, replies: Sequence[Reply], seconds: float) -> Load:
        """Sum up `replies`, which took `seconds` in all."""
        tokens = sum(reply.tokens for reply in replies)
        return cls(tokens / seconds, statistics.median(reply.first for reply in replies))


def prompt(caller: int, turn: int, words: int) -> str:
    """Return a prompt of `words` words that no other caller has and no other turn."""
    start = caller * 31 + turn * 7
    return " ".join(f"{_WORDS[(start + n * 5) % len(_WORDS)]}{start + n}" for n in range(words))


def call(port: int, model: str, callers: int, *, turn: int, words: int, tokens: int) -> Load:
    """Have `callers` ask at once for `tokens` tokens each, streamed."""

    async def all_of_them() -> list[Reply]:
        bodies = [
            _body(model, prompt(caller, turn, words), tokens, seed=caller)
            for caller in range(callers)
        ]
        return await asyncio.gather(*(ask(port, body) for body in bodies))

    began = time.perf_counter()
    replies = asyncio.run(all_of_them())
    return Load.of(replies, time.perf_counter() - began)


async def ask(port: int, body: bytes) -> Reply:
    """Send one request and read its stream to the end. Raises `RuntimeError` for an error."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"{status!r} {await reader.read()!r}")
    first = last = 0.0
    tokens = 0
    async for line in reader:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        usage = chunk.get("usage")
        if usage:
            tokens = usage["completion_tokens"]
        if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
            last = time.perf_counter() - began
            first = first or last
    writer.close()
    if not tokens:
        raise RuntimeError("the stream ended without its usage")
    if not first:
        raise RuntimeError("the stream had no text")
    return Reply(tokens, first, last)


def _body(model: str, text: str, tokens: int, *, seed: int, system: str = "") -> bytes:
    beginning = [{"role": "system", "content": system}] if system else []
    return json.dumps(
        {
            "model": model,
            "messages": [*beginning, {"role": "user", "content": text}],
            "max_tokens": tokens,
            "seed": seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()


def first_token(port: int, model: str, *, system: str, text: str) -> float:
    """Return the seconds to the first token of one short reply."""
    reply = asyncio.run(ask(port, _body(model, text, 4, seed=1, system=system)))
    return reply.first
