"""How fast a model is here: prompts and replies of one sequence, and of several side by side."""

from __future__ import annotations

import platform
import random
import statistics
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.engine.engine import Engine
from smolctl.engine.generation import GenerationRequest
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, TooLittleMemory, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from smolctl.engine.generation import Generation
    from smolctl.engine.options import EngineOptions
    from smolctl.runner.runnable import Runnable

_WARM_UP_TOKENS = 64
_MAXIMUM_REPETITIONS = 1000


@dataclass(frozen=True)
class Workload:
    """What is timed: prompts of `prompt_tokens`, replies of `reply_tokens`, `repetitions` times.

    Raises `UsageError` for a value out of range, naming its flag.
    """

    prompt_tokens: int = 256
    reply_tokens: int = 64
    repetitions: int = 3

    def __post_init__(self) -> None:
        for flag, value, low, high in (
            ("--prompt-tokens", self.prompt_tokens, 1, 2**24),
            ("--max-tokens", self.reply_tokens, 1, 2**24),
            ("--repetitions", self.repetitions, 1, _MAXIMUM_REPETITIONS),
        ):
            if not low <= value <= high:
                raise UsageError(f"{flag} is {value}", hint=f"It must be from {low} to {high}.")

    @property
    def context(self) -> int:
        """The tokens of one sequence."""
        return self.prompt_tokens + self.reply_tokens


@dataclass(frozen=True)
class Run:
    """One repetition: tokens per second of all sequences together, and seconds.

    `first_token` is the median of the sequences, whose prompts came at one time.
    """

    prompt_rate: float
    reply_rate: float
    first_token: float


@dataclass(frozen=True)
class Speed:
    """A model's speed with `sequences` side by side, in several runs."""

    sequences: int
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Spread:
    """The mean of some runs, and their standard deviation, 0 for a single one."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return that of `values`."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


def measure(
    runnable: Runnable,
    options: EngineOptions,
    workload: Workload,
    *,
    debug: bool = False,
    on_abort: Callable[[str], object] | None = None,
) -> Speed:
    """Load the model for `options.sequences`, and time `workload` with as many replies at once.

    Each prompt is random, so that no part of it is kept from another; what goes before the first
    run, the reading of the weights above all, is not counted. Prompts and replies are timed apart:
    first all prompts with a reply of one token each, then replies to the same prompts, which are
    kept by then. Raises `UsageError` when that is more than the model's context, and `NotRunnable`
    when it does not fit in memory, or the model does not generate.
    """
    longest = runnable.header.context_length
    if longest is not None and workload.context > longest:
        raise UsageError(
            f"{workload.prompt_tokens} tokens of prompt and {workload.reply_tokens} of reply are"
            f" more than the model's context, {longest}",
            hint="--prompt-tokens and --max-tokens make them fewer.",
        )
    if not runnable.header.is_causal:
        raise NotRunnable(f"{runnable.source.name} makes embeddings, and does not generate text")
    try:
        fitted = runnable.fit(replace(options, context_size=workload.context))
    except TooLittleMemory as error:
        hint = "A smaller --concurrency or fewer --prompt-tokens need less."
        raise TooLittleMemory(error.message, hint=hint) from None
    weights = runnable.source.weights
    with Engine.open(weights, fitted, debug=debug, on_abort=on_abort) as engine:
        bench = _Bench(engine, fitted.sequences)
        bench.run(Workload(min(_WARM_UP_TOKENS, workload.prompt_tokens), 1))
        runs = tuple(bench.run(workload) for _ in range(workload.repetitions))
    return Speed(fitted.sequences, runs)


def processor() -> str:
    """Return the machine's processor: its kind, and its model where the system tells (Linux)."""
    if sys.platform == "linux":
        # Where there is no such file, and on ARM, which has no such line, the kind has to do.
        with suppress(OSError):
            for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return f"{platform.machine()}, {value.strip()}"
    return platform.machine()


class _Bench:
    """Times an engine. The prompts are the same in every benchmark, and differ in every run."""

    def __init__(self, engine: Engine, sequences: int) -> None:
        self._engine = engine
        self._sequences = sequences
        self._random = random.Random(0)  # noqa: S311 - nothing secret
        vocabulary = engine.vocabulary
        # A reply that ended by itself would make the others faster.
        self._endless = tuple(
            (token, float("-inf"))
            for token in range(vocabulary.size)
            if vocabulary.ends_generation(token)
        )

    def run(self, workload: Workload) -> Run:
        """Time one repetition."""
        size = self._engine.vocabulary.size
        prompts = [
            tuple(self._random.choices(range(size), k=workload.prompt_tokens))
            for _ in range(self._sequences)
        ]
        prompt_seconds, first = self._timed(prompts, 1)
        reply_seconds, replies = self._timed(prompts, workload.reply_tokens)
        return Run(
            prompt_rate=sum(map(len, prompts)) / prompt_seconds,
            reply_rate=sum(each.usage.completion for each in replies) / reply_seconds,
            first_token=statistics.median(each.timings.first_token for each in first),
        )

    def _timed(
        self, prompts: Sequence[tuple[int, ...]], reply_tokens: int
    ) -> tuple[float, list[Generation]]:
        """Return the seconds until replies to `prompts` are all there, and the replies."""
        sampling = Sampling(max_tokens=reply_tokens, seed=0, logit_bias=self._endless)
        began = time.perf_counter()
        running = [self._engine.submit(GenerationRequest(each, sampling)) for each in prompts]
        for generation in running:
            for _ in generation:
                pass
        return time.perf_counter() - began, running
