"""Timing whole commands in turns, and printing what they took as ratios."""

from __future__ import annotations

import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Contender:
    """A command to time. `prepare` runs before each time, untimed."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    prepare: Callable[[], None] = lambda: None


def race(title: str, contenders: Sequence[Contender], *, rounds: int) -> dict[str, float]:
    """Time the contenders in turns and print medians and ratios to the first.

    Returns the medians in seconds by name. Raises `subprocess.CalledProcessError` when a command
    fails: a failure is not a time.
    """
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            contender.prepare()
            began = time.perf_counter()
            subprocess.run(
                contender.command,
                env=contender.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )
            if number:  # the first round warms the caches
                times[contender.name].append(time.perf_counter() - began)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    first = medians[contenders[0].name]
    print(f"\n{title} (median of {rounds}, in turns)")
    for name, median in medians.items():
        low, high = min(times[name]), max(times[name])
        print(
            f"  {name:<34} {median * 1000:8.0f} ms  ({low * 1000:.0f} to {high * 1000:.0f})"
            f"  {median / first:6.2f} x {contenders[0].name}"
        )
    return medians
