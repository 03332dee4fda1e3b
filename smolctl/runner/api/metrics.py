"""What a worker counts, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smolctl.engine.engine import Engine
    from smolctl.engine.generation import Generation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counts since the worker's start. Only the event loop's thread changes them."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._completion_tokens = 0
        self._prompt_seconds = 0.0
        self._generation_seconds = 0.0
        self._first_token = _Histogram(_BUCKETS)
        self._queued = _Histogram(_BUCKETS)

    def count_request(self, route: str, status: int) -> None:
        """Count a request that is over."""
        self._requests[route, status] += 1

    def count_tokens(self, prompt: int) -> None:
        """Count the tokens of inputs that were embedded."""
        self._prompt_tokens += prompt

    def count_generation(self, generation: Generation) -> None:
        """Count a reply that is over or was given up."""
        usage, timings = generation.usage, generation.timings
        self._prompt_tokens += usage.prompt
        self._cached_tokens += usage.cached
        self._completion_tokens += usage.completion
        self._prompt_seconds += timings.prompt
        self._generation_seconds += timings.generation
        if usage.completion:
            self._first_token.observe(timings.first_token)
            self._queued.observe(timings.queued)

    def text(self, engine: Engine) -> str:
        """Return everything, with what `engine` does just now."""
        state = engine.state
        lines: list[str] = []
        lines += _head("requests_total", "counter", "Requests that are over, by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            lines.append(f'smolctl_requests_total{{route="{route}",status="{status}"}} {count}')
        for name, value, meaning in (
            ("prompt_tokens_total", self._prompt_tokens, "Tokens of prompts."),
            ("cached_tokens_total", self._cached_tokens, "Of those, found in the KV cache."),
            ("completion_tokens_total", self._completion_tokens, "Tokens generated."),
            ("prompt_seconds_total", self._prompt_seconds, "Seconds replies waited for a prompt."),
            ("generation_seconds_total", self._generation_seconds, "Seconds of generation."),
        ):
            lines += [*_head(name, "counter", meaning), f"smolctl_{name} {value}"]
        for name, value, meaning in (
            ("sequences", state.sequences, "Replies that can be generated side by side."),
            ("requests_generating", state.generating, "Replies under way."),
            ("requests_waiting", state.waiting, "Requests that wait for a sequence."),
            ("kv_tokens", state.kv_tokens, "Tokens in the KV cache, those kept for later too."),
            ("kv_capacity_tokens", state.kv_capacity, "Tokens that the KV cache has room for."),
        ):
            lines += [*_head(name, "gauge", meaning), f"smolctl_{name} {value}"]
        lines += self._first_token.lines(
            "time_to_first_token_seconds", "From a request to its first token."
        )
        lines += self._queued.lines("queued_seconds", "From a request until it got a sequence.")
        return "\n".join(lines) + "\n"


class _Histogram:
    """How many observations were at most each of some bounds."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, meaning: str) -> list[str]:
        lines = _head(name, "histogram", meaning)
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'smolctl_{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"smolctl_{name}_sum {self._sum}", f"smolctl_{name}_count {total}"]


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP smolctl_{name} {meaning}", f"# TYPE smolctl_{name} {kind}"]
