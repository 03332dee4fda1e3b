"""What a response says about its cost: OpenAI's `usage`, llama-server's `timings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.engine.generation import Generation


def usage_document(generations: Sequence[Generation], choices: int) -> dict[str, Any]:
    """Return the tokens of `generations`, of which each `choices` have one prompt.

    A prompt counts once, as the first of its choices met it.
    """
    firsts = generations[::choices]
    prompt = sum(generation.prompt_tokens for generation in firsts)
    completion = sum(generation.completion_tokens for generation in generations)
    cached = sum(generation.cached_tokens for generation in firsts)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def timings_document(generations: Sequence[Generation]) -> dict[str, Any]:
    """Return how long `generations` took, side by side: the tokens of all, the time of the longest.

    The names are llama-server's, `queued_ms` and `first_token_ms` apart; `prompt_n` is what was
    decoded of the prompts, without the `cache_n` tokens that were in the KV cache.
    """
    timings = [generation.timings for generation in generations]
    cached = sum(generation.cached_tokens for generation in generations)
    prompt = sum(generation.prompt_tokens for generation in generations) - cached
    predicted = sum(generation.completion_tokens for generation in generations)
    prompt_seconds = max(each.prompt for each in timings)
    predicted_seconds = max(each.generation for each in timings)
    return {
        "prompt_n": prompt,
        "cache_n": cached,
        "prompt_ms": _milliseconds(prompt_seconds),
        "prompt_per_second": _rate(prompt, prompt_seconds),
        "predicted_n": predicted,
        "predicted_ms": _milliseconds(predicted_seconds),
        "predicted_per_second": _rate(predicted, predicted_seconds),
        "queued_ms": _milliseconds(max(each.queued for each in timings)),
        "first_token_ms": _milliseconds(max(each.first_token for each in timings)),
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds > 0 else 0.0
