"""What chats and plain completions ask for in the same words: sampling, stops, grammars.

The names are OpenAI's, and llama-server's for what OpenAI does not have.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError
from smolctl.runner.fields import InvalidField, sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from smolctl.engine.gbnf import Grammar
    from smolctl.runner.fields import Fields

_SEEDS = 2**32 - 1
"""Seeds are those of llama.cpp, 32 bits wide but for the last; larger ones wrap around."""

_MAXIMUM_CHOICES = 64

_NUMBERS = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "xtc_probability",
    "xtc_threshold",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
)
_LIMITS = ("max_completion_tokens", "max_tokens")
NUMBER_FIELDS = (*_NUMBERS, *_LIMITS, "top_k", "seed")
"""All that is a number in what a request says of sampling."""


class Delivery(NamedTuple):
    """How replies are wanted: `choices` of them for a prompt, streamed or whole.

    `include_usage` asks for a last chunk of the stream with the counts of tokens.
    """

    choices: int = 1
    stream: bool = False
    include_usage: bool = False


def read_sampling(request: Fields) -> Sampling:
    """Return the sampling that `request` asks for; what is absent has its default.

    A `seed` of -1 and a `max_tokens` of -1 are llama-server's ways to say that none is given.
    """
    given: dict[str, Any] = {name: request.number(name) for name in _NUMBERS}
    top_k = request.integer("top_k")
    given["top_k"] = None if top_k is None else max(top_k, 0)
    seed = request.integer("seed")
    given["seed"] = None if seed is None or seed == -1 else seed % _SEEDS
    limit = next((name for name in _LIMITS if request.get(name) is not None), _LIMITS[0])
    most = request.integer(limit)
    given["max_tokens"] = None if most == -1 else most
    sampling = Sampling()
    for name, value in given.items():
        if value is not None:
            param = request.param(limit if name == "max_tokens" else name)
            sampling = _with(sampling, param, **{name: value})
    bias = _read_logit_bias(request)
    return _with(sampling, request.param("logit_bias"), logit_bias=bias) if bias else sampling


def for_choice(sampling: Sampling, index: int) -> Sampling:
    """Return the sampling for choice number `index`: each has a seed of its own."""
    if sampling.seed is None or index == 0:
        return sampling
    return replace(sampling, seed=(sampling.seed + index) % _SEEDS)


def read_stop(request: Fields) -> tuple[str, ...]:
    """Return the stop strings: `stop` is one or a list of them."""
    stop = request.get("stop")
    found = [stop] if isinstance(stop, str) else request.items("stop")
    if not all(isinstance(text, str) and text for text in found):
        request.fail("stop", "must be a string or a list of strings, none of them empty")
    return tuple(found)


def read_grammar(request: Fields) -> Grammar | None:
    """Return the grammar that the text must follow: `response_format`'s, or GBNF in `grammar`.

    It takes a while for a large schema. Raises `InvalidField` for one that cannot be followed.
    """
    source = request.text("grammar")
    form = request.child("response_format")
    kind = None
    if form is not None:
        kind = form.choice("type", ("text", "json_object", "json_schema"))
        if kind is None:
            form.fail("type", "is missing")
    if source:
        if kind not in (None, "text"):
            request.fail("grammar", "does not go together with response_format")
        return _followed(request.param("grammar"), source)
    if form is None or kind == "text":
        return None
    if kind == "json_schema":
        schema = form.required_child("json_schema").required_child("schema").document
    else:
        given = form.child("schema")  # llama-server's own way to give one
        schema = {"type": "object"} if given is None else given.document
    return _followed(request.param("response_format"), schema)


def _followed(param: str, wanted: str | Mapping[str, Any]) -> Grammar:
    """Return the grammar of a GBNF source or a JSON schema, which stands at `param`."""
    # Here: who only writes requests, as a warm `run` does, need not wait for these.
    from smolctl.engine.gbnf import Grammar
    from smolctl.engine.json_schema import grammar_of

    try:
        return Grammar(wanted) if isinstance(wanted, str) else grammar_of(wanted)
    except UsageError as error:
        raise InvalidField(param, sentence(error)) from error


def read_delivery(request: Fields) -> Delivery:
    """Return how many choices are wanted, and whether as a stream."""
    options = request.child("stream_options")
    return Delivery(
        choices=request.count("n", 1, _MAXIMUM_CHOICES) or 1,
        stream=request.flag("stream"),
        include_usage=options is not None and options.flag("include_usage"),
    )


def _read_logit_bias(request: Fields) -> tuple[tuple[int, float], ...]:
    """Return the biases: OpenAI's object of them, or llama-server's list of pairs.

    `false` in a pair's second place forbids the token.
    """
    given = request.get("logit_bias")
    pairs = list(given.items()) if isinstance(given, dict) else request.items("logit_bias")
    biases = []
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            request.fail("logit_bias", "must map tokens to numbers")
        token, bias = pair
        if isinstance(token, str) and token.isascii() and token.isdecimal() and len(token) < 10:
            token = int(token)
        if not isinstance(token, int) or isinstance(token, bool):
            request.fail("logit_bias", "must name tokens by their numbers")
        if bias is False:
            bias = -math.inf
        elif isinstance(bias, bool) or not isinstance(bias, (int, float)) or abs(bias) > 1e6:
            request.fail("logit_bias", "must map tokens to numbers of a reasonable size")
        biases.append((token, float(bias)))
    return tuple(biases)


def _with(sampling: Sampling, param: str, **value: Any) -> Sampling:
    """Return `sampling` with one more value; an error names the request's parameter for it."""
    try:
        return replace(sampling, **value)
    except UsageError as error:
        raise InvalidField(param, _out_of_range(param, error)) from error


def _out_of_range(param: str, error: UsageError) -> str:
    """Return what is wrong with `param`; the error itself names the command line's flag."""
    problem = "is out of range" if error.hint else f": {error.message}"
    return f"{param} {problem}. {error.hint or ''}".strip()
