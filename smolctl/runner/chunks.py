"""Texts longer than the context, worked on piece by piece.

Nobody but the model's own process knows how many tokens a text has. So the whole text is asked
about first, with one token of reply: what fits is in the cache then, and is not decoded twice; of
what does not fit, `PromptTooLong` says by how much. The text is split accordingly, each part is
answered with the instruction that all of it was to have, and the answers, joined, stand for the
text from there on. Where they are too long still, the same is done to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from smolctl.errors import PromptTooLong, TextTooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from smolctl.engine.conversation import ChatRequest
    from smolctl.runner.chat_model import ChatModel

_REPLY_SHARE = 4
"""One in so many tokens of the context is kept for the reply, where nothing limits the reply."""

_SHORTER = 0.9
"""Answers must be shorter than their text by a tenth at least, or there would be no end."""

_MINIMUM_LETTERS = 64
"""A part of fewer letters than these is no text to work on."""

_CAUTION = 0.9
"""How much of what should fit a part has: letters make more tokens in one place than another."""

_BOUNDARIES = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"[.!?…]['\"”’)\]]*\s+|[。！？]\s*|\n"),  # noqa: RUF001 - sentences end so, too
    re.compile(r"\s+"),
)
"""Where a text is split best: between paragraphs, sentences or lines, words."""

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Fitted:
    """A text that fits into the context. `parts` is how many answers it took; 0 for none."""

    text: str
    parts: int = 0


@dataclass(frozen=True)
class _Measure:
    """Tokens of a prompt and of the context; None where nobody says."""

    prompt: int | None
    context: int | None
    fits: bool


def fitted(
    model: ChatModel,
    request_of: Callable[[str], ChatRequest],
    text: str,
    *,
    on_part: Callable[[int, int], object] = lambda *_: None,
) -> Fitted:
    """Return `text`, or what stands for it where `request_of(text)` is too long for the context.

    `request_of` puts a text where it belongs in the request. `on_part` is told the number of the
    part that is asked about next, from 1 on, and how many there are. Raises `TextTooLong` where
    the answers do not become shorter, and `PromptTooLong` where what is not the text leaves no
    room for any.
    """
    parts = 0
    while True:
        measure = _measure(model, request_of(text))
        if measure.fits:
            return Fitted(text, parts)
        answers = []
        for answer in _answers(model, request_of, text, measure, on_part):
            parts += 1
            if answer.strip():
                answers.append(answer.strip())
        joined = "\n\n".join(answers)
        if not joined:
            raise TextTooLong("the model has no answer to any part of the text")
        if len(joined) > len(text) * _SHORTER:
            raise TextTooLong(
                f"the answers to the parts are not shorter than the text: {len(joined)} letters"
                f" of {len(text)}",
                hint="Ask for short answers, or limit them with --max-tokens.",
            )
        text = joined


def split(text: str, letters: int) -> list[str]:
    """Return `text` in parts of at most `letters`, all of about the same length.

    Each ends with a paragraph, else with a sentence or a line, else with a word, where there is
    such an end in its second half. Joined they are the text, but for blanks around the cuts.
    """
    parts = []
    text = text.strip()
    begin = 0
    while (left := len(text) - begin) > letters:
        even = -(-left // -(-left // letters))
        # Somewhat longer than even: the parts get shorter where they are cut.
        end = _cut(text, begin, begin + min(letters, even + even // 8 + 1))
        parts.append(text[begin:end].rstrip())
        blanks = _BLANKS.match(text, end)
        begin = blanks.end() if blanks else end
    return [part for part in [*parts, text[begin:]] if part]


def _cut(text: str, begin: int, limit: int) -> int:
    """Return where to cut what begins at `begin`, at `limit` or before."""
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, (begin + limit) // 2, limit)]
        if ends:
            return ends[-1]
    return limit


def _answers(
    model: ChatModel,
    request_of: Callable[[str], ChatRequest],
    text: str,
    measure: _Measure,
    on_part: Callable[[int, int], object],
) -> Iterator[str]:
    """Yield the answer to each part of `text`, which is too long as a whole."""
    waiting = split(text, _room(request_of, text, measure))
    if len(waiting) == 1:
        waiting = split(text, max(len(text) // 2 + 1, 1))
    number = 1
    while waiting:
        part = waiting.pop(0)
        on_part(number, number + len(waiting))
        request = request_of(part)
        try:
            answer = _answer(model, request, _reserve(request, measure.context))
        except PromptTooLong as error:
            # Denser than the rest of the text: two parts of it, or what still fits.
            shorter = _Measure(error.prompt_tokens, error.context_size, fits=False)
            letters = min(_room(request_of, part, shorter), len(part) // 2 + 1)
            waiting = [*split(part, letters), *waiting]
            continue
        number += 1
        yield answer


def _answer(model: ChatModel, request: ChatRequest, limit: int | None) -> str:
    """Return the reply's text. It may have `limit` tokens; one that is cut there is taken as it is.

    An answer that long is no summary anyway, and the next round shortens it.
    """
    sampling = replace(request.sampling, max_tokens=limit)
    with model.reply(replace(request, sampling=sampling)) as reply:
        return "".join(delta.content for delta in reply)


def _measure(model: ChatModel, request: ChatRequest) -> _Measure:
    """Return how long the request's prompt is, and whether it leaves room for a reply."""
    probe = replace(request, sampling=replace(request.sampling, max_tokens=1))
    try:
        with model.reply(probe) as reply:
            for _ in reply:
                pass
            usage = reply.usage
    except PromptTooLong as error:
        return _Measure(error.prompt_tokens, error.context_size, fits=False)
    prompt, context = usage.prompt if usage else None, model.context_size
    reserve = _reserve(request, context) or 0
    fits = prompt is None or context is None or prompt + reserve <= context
    return _Measure(prompt, context, fits=fits)


def _reserve(request: ChatRequest, context: int | None) -> int | None:
    """Return how many tokens a reply to `request` may need."""
    limit = request.sampling.max_tokens
    if context is None:
        return limit
    return min(limit or context, max(context // _REPLY_SHARE, 1))


def _room(request_of: Callable[[str], ChatRequest], text: str, measure: _Measure) -> int:
    """Return how many letters of `text` fit, by the tokens that all of them make.

    Raises `PromptTooLong` where hardly any do.
    """
    if measure.prompt is None or measure.context is None:
        letters = len(text) // 2 + 1
    else:
        request = request_of(text)
        rest = sum(len(message.content) for message in request.messages) - len(text)
        available = measure.context - (_reserve(request, measure.context) or 0)
        fitting = (len(text) + rest) * available / max(measure.prompt, 1)
        letters = int(fitting * _CAUTION) - rest
    if min(letters, len(text)) < _MINIMUM_LETTERS:
        raise PromptTooLong(
            "what goes with each part of the text leaves no room for any",
            hint="Shorten the instruction, or ask for a larger context with --ctx-size.",
            prompt_tokens=measure.prompt,
            context_size=measure.context,
        )
    return letters
