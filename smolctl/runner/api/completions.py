"""`POST /v1/completions`: text that goes on where a prompt ends, without a chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolctl.engine.generation import GenerationRequest
from smolctl.runner.api.answer import Asked, answer
from smolctl.runner.api.exchange import dumps
from smolctl.runner.api.logprobs import CompletionLogprobs
from smolctl.runner.api.prompts import read_texts, tokens_of
from smolctl.runner.fields import Fields
from smolctl.runner.generation_fields import (
    for_choice,
    read_delivery,
    read_grammar,
    read_sampling,
    read_stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.engine.generation import Generation, Piece
    from smolctl.engine.vocabulary import Vocabulary
    from smolctl.runner.api.exchange import Exchange
    from smolctl.runner.api.prompts import Text
    from smolctl.runner.api.service import Service

_MAXIMUM_LOGPROBS = 100


async def completions(exchange: Exchange, service: Service) -> None:
    """Answer with a text, or several, for each prompt."""
    await answer(exchange, service, _read)


def _read(document: dict[str, Any], exchange: Exchange, service: Service) -> Asked:
    request = Fields(document)
    name = service.check_model(exchange, request.text("model"))
    service.check_generates()
    if request.text("suffix"):
        request.fail("suffix", "is not supported: text is added at the end alone")
    logprobs = request.count("logprobs", 0, _MAXIMUM_LOGPROBS)
    echo = request.flag("echo")
    if echo and logprobs is not None:
        request.fail("logprobs", "does not go together with echo: a prompt's tokens have none here")
    delivery = read_delivery(request)
    if request.integer("best_of") not in (None, delivery.choices):
        request.fail("best_of", "is not supported: all choices are returned")
    vocabulary = service.model.engine.vocabulary
    texts = read_texts(request, "prompt")
    sampling, stop, grammar = read_sampling(request), read_stop(request), read_grammar(request)
    requests = [
        GenerationRequest(tokens, for_choice(sampling, index), stop, logprobs, grammar)
        for tokens in (tokens_of(text, vocabulary.tokenize) for text in texts)
        for index in range(delivery.choices)
    ]
    starts = [_text(text, vocabulary) if echo else "" for text in texts]
    return Asked(
        model=name,
        requests=requests,
        delivery=delivery,
        shape=_Texts(
            [start for start in starts for _ in range(delivery.choices)],
            logprobs=logprobs is not None,
        ),
        id_prefix="cmpl",
        object="text_completion",
        chunk_object="text_completion",
    )


def _text(prompt: Text, vocabulary: Vocabulary) -> str:
    """Return what `echo` repeats."""
    if isinstance(prompt, str):
        return prompt
    known = (token for token in prompt if token < vocabulary.size)
    return b"".join(vocabulary.piece(token) for token in known).decode(errors="replace")


class _Texts:
    """Choices that are texts. `starts` has what each begins with: the prompt, or nothing."""

    def __init__(self, starts: Sequence[str], *, logprobs: bool) -> None:
        self._texts = [[start] for start in starts]
        self._logprobs = [CompletionLogprobs() for _ in starts] if logprobs else None

    def first(self, index: int) -> str:
        """Return a choice with the prompt that is to be echoed."""
        (start,) = self._texts[index]
        return dumps(_choice(index, start)) if start else ""

    def parts(self, index: int, piece: Piece | None) -> Iterator[str]:
        """Yield a choice with the piece's text."""
        if piece is None:
            return
        logprobs = None
        if self._logprobs is not None:
            logprobs = self._logprobs[index].document(piece.scores)
        if piece.text or piece.scores:
            yield dumps(_choice(index, piece.text, logprobs))

    def last(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice that says why the text ended."""
        return _choice(index, "", None, generation.finish_reason)

    def add(self, index: int, piece: Piece | None) -> None:
        """Keep the piece."""
        if piece is not None:
            self._texts[index].append(piece.text)
            if self._logprobs is not None:
                self._logprobs[index].add(piece.scores)

    def whole(self, index: int, generation: Generation) -> dict[str, Any]:
        """Return the choice with the whole text."""
        logprobs = None
        if self._logprobs is not None:
            logprobs = self._logprobs[index].document()
        text = "".join(self._texts[index])
        return _choice(index, text, logprobs, generation.finish_reason)


def _choice(
    index: int, text: str, logprobs: Any = None, finish_reason: str | None = None
) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish_reason}
