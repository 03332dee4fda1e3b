"""A model that chats in another process: a worker's, or one behind a gateway."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.engine.conversation import Delta, ToolCallDelta
from smolctl.errors import NotRunnable, PromptTooLong, RegistryUnavailable
from smolctl.runner.api_errors import api_error, error_code
from smolctl.runner.chat_document import chat_document
from smolctl.runner.connection import ConnectionLost
from smolctl.runner.expectation import WORKER_DIFFERS
from smolctl.runner.worker_log import crash_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from smolctl.engine.conversation import ChatRequest
    from smolctl.engine.generation import Timings, Usage
    from smolctl.errors import SmolctlError
    from smolctl.runner.chat_model import ChatReply
    from smolctl.runner.connection import Endpoint, Response

CHAT_PATH = "/v1/chat/completions"
_DONE = "[DONE]"
_ATTEMPTS = 3


class Start(NamedTuple):
    """What starting a model gave: the tokens that its context holds, and how many answers at once.

    `load_seconds` is how long it took; None when it was loaded already.
    """

    context_size: int
    sequences: int
    load_seconds: float | None


class RemoteChat:
    """The model called `name` at `endpoint`.

    `start` has somebody serve there: it is called when nobody does, or one that does not have
    what the `headers` expect, or whose context is too small, with the tokens that it is to hold;
    None where only others can start it. `log` is a worker's log.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        *,
        start: Callable[[int], Start] | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self.context_size: int | None = None
        self.sequences: int | None = None
        self.load_seconds: float | None = None
        self._endpoint = endpoint
        self._headers = headers
        self._start = start
        self._log = log

    def load(self, tokens: int = 0) -> None:
        """Have the model loaded now, where that is ours to do; else the first request does.

        Where it can have a context for so many `tokens`, it gets one.
        """
        if self._start is None:
            return
        start = self._start(tokens)
        self.context_size, self.sequences = start.context_size, start.sequences
        if start.load_seconds is not None:
            self.load_seconds = start.load_seconds

    @contextmanager
    def reply(self, chat: ChatRequest) -> Iterator[ChatReply]:
        """Ask for the next message; the other side stops when the block is left."""
        body = {
            "model": self.name,
            **chat_document(chat),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with self._answered(body) as response:
            yield _RemoteReply(response, self._ended)

    def _answered(self, body: dict[str, Any]) -> Response:
        """Return a response whose stream has begun.

        A worker may leave while we connect, and then closes the connection without a word: the
        next one gets the request.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS or self._start is None
            try:
                response = self._endpoint.request(
                    "POST",
                    CHAT_PATH,
                    body,
                    headers=self._headers,
                    on_silence=self._check_answers,
                )
            except ConnectionLost as error:
                if self._start is None and not error.begun:
                    raise RegistryUnavailable(
                        error.message,
                        hint="SMOLCTL_HOST says where: does `smolctl serve` run there?",
                    ) from error
                if error.begun or last:
                    raise
                self.load()
            else:
                if response.status == 200:
                    return response
                with response:
                    document = response.json()
                refusal = api_error(response.status, document, str(self._endpoint))
                if last:
                    raise refusal
                if error_code(document) == WORKER_DIFFERS:
                    self.load()
                elif not self._gets_room(refusal):
                    raise refusal
        raise AssertionError

    def _gets_room(self, refusal: SmolctlError) -> bool:
        """Whether the model was loaded anew for a prompt that was too long for its context."""
        if self._start is None or not isinstance(refusal, PromptTooLong):
            return False
        if refusal.prompt_tokens is None or refusal.context_size is None:
            return False
        self.load(refusal.prompt_tokens + 1)
        return (self.context_size or 0) > refusal.context_size

    def _check_answers(self) -> None:
        """Raise `NotRunnable` where a worker hangs. Of a gateway nobody knows."""
        if self._endpoint.path is not None:
            from smolctl.runner.workers import check_answers

            check_answers(self._endpoint.path)

    def _ended(self, reason: str | None) -> NotRunnable:
        """Return the error for a stream that broke off."""
        return broken_off(self._endpoint, self._log, reason)


def broken_off(endpoint: Endpoint, log: Path | None, reason: str | None = None) -> NotRunnable:
    """Return the error for a stream of `endpoint` that broke off, with what `log` says of it."""
    said = crash_in(log) if log is not None else reason
    return NotRunnable(
        f"{endpoint} ended in the middle of the answer" + (f": {said}" if said else ""),
        hint=None if log is None else f"Its log is {log}",
    )


class _RemoteReply:
    """A stream of OpenAI's chunks."""

    def __init__(self, response: Response, ended: Callable[[str | None], NotRunnable]) -> None:
        self.finish_reason: str | None = None
        self._response = response
        self._ended = ended
        self._usage: Any = None
        self._timings: Any = None

    def __iter__(self) -> Iterator[Delta]:
        try:
            for event in self._response.events():
                if event == _DONE:
                    return
                yield from self._read(_object(event))
        except ConnectionLost as error:
            raise self._ended(error.message) from error
        raise self._ended(None)

    def _read(self, chunk: dict[str, Any]) -> Iterator[Delta]:
        if "error" in chunk:
            raise api_error(500, chunk, "the model")
        self._usage = chunk.get("usage") or self._usage
        self._timings = chunk.get("timings") or self._timings
        for choice in _objects(chunk.get("choices")):
            reason = choice.get("finish_reason")
            if isinstance(reason, str):
                self.finish_reason = reason
            yield from _deltas(_fields(choice.get("delta")))

    @property
    def usage(self) -> Usage | None:
        """The tokens; None where the server did not say."""
        from smolctl.engine.generation import Usage

        usage = _fields(self._usage)
        if not usage:
            return None
        details = _fields(usage.get("prompt_tokens_details"))
        return Usage(
            _count(usage, "prompt_tokens"),
            _count(details, "cached_tokens"),
            _count(usage, "completion_tokens"),
        )

    @property
    def timings(self) -> Timings | None:
        """The seconds; None where the server did not say."""
        from smolctl.engine.generation import Timings

        timings = _fields(self._timings)
        if not timings:
            return None
        names = ("queued_ms", "prompt_ms", "first_token_ms", "predicted_ms")
        queued, prompt, first, predicted = (_number(timings, name) / 1000 for name in names)
        return Timings(queued, prompt, first, predicted)


def _deltas(delta: dict[str, Any]) -> Iterator[Delta]:
    content, reasoning = delta.get("content"), delta.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        yield Delta(reasoning=reasoning)
    if isinstance(content, str) and content:
        yield Delta(content=content)
    for call in _objects(delta.get("tool_calls")):
        function = _fields(call.get("function"))
        yield Delta(
            tool_call=ToolCallDelta(
                _count(call, "index"),
                _text(call, "id"),
                _text(function, "name"),
                _text(function, "arguments") or "",
            )
        )


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object that an event is; an empty one when it is none."""
    try:
        return _fields(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: dict[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) else None


def _count(value: dict[str, Any], name: str) -> int:
    found = value.get(name)
    return found if isinstance(found, int) else 0


def _number(value: dict[str, Any], name: str) -> float:
    found = value.get(name)
    return found if isinstance(found, (int, float)) else 0.0
