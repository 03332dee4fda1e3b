"""What a reply took: in lines for a person (`--verbose`, `/stats`), and as JSON has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.engine.generation import Timings, Usage


def statistics_lines(
    load_seconds: float | None, usage: Usage | None, timings: Timings | None
) -> list[str]:
    """Return what is known of a reply, a line each: the load, the tokens, the rates, the waiting.

    `load_seconds` is None where the model was loaded already. Rates are in tokens a second; those
    of the prompt leave out what was in the cache.
    """
    rows: list[tuple[str, str]] = []
    if load_seconds is not None:
        rows.append(("load", _seconds(load_seconds)))
    if usage is not None:
        cached = f", {usage.cached} of them cached" if usage.cached else ""
        rate = _rate(usage.prompt - usage.cached, timings.prompt if timings else 0)
        rows.append(("prompt", f"{_tokens(usage.prompt)}{cached}{rate}"))
        rate = _rate(usage.completion, timings.generation if timings else 0)
        rows.append(("generation", f"{_tokens(usage.completion)}{rate}"))
    if timings is not None:
        rows.append(("first token", f"after {_seconds(timings.first_token)}"))
    return [f"{name + ':':<13}{value}" for name, value in rows]


def usage_json(usage: Usage | None) -> dict[str, int] | None:
    """Return the tokens of a reply, under the names that all our JSON has for them."""
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt,
        "cached_tokens": usage.cached,
        "completion_tokens": usage.completion,
    }


def timings_json(timings: Timings | None) -> dict[str, float | None]:
    """Return the seconds of a reply, to the microsecond; null where nobody measured them."""
    names = ("queued", "prompt", "first_token", "generation")
    return {
        f"{name}_seconds": None if timings is None else round(getattr(timings, name), 6)
        for name in names
    }


def tokens_per_second(tokens: int, seconds: float) -> float | None:
    """Return the rate; None where nothing was measured."""
    return tokens / seconds if tokens > 0 and seconds > 0 else None


def _rate(tokens: int, seconds: float) -> str:
    rate = tokens_per_second(tokens, seconds)
    return "" if rate is None else f", {_number(rate)} tokens/s"


def _tokens(count: int) -> str:
    return f"{count} token" if count == 1 else f"{count} tokens"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _number(rate: float) -> str:
    return f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"
