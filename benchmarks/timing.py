"""Timing whole commands in turns, and printing what they took as ratios."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_STOPWATCH = Path(__file__).with_name("stopwatch.py")


@dataclass(frozen=True)
class Contender:
    """A command to time. `prepare` runs before each time, untimed; `needs` are its programs."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    prepare: Callable[[], None] = lambda: None
    needs: Sequence[str] = ()

    @property
    def missing(self) -> list[str]:
        """The programs that it needs and that are not installed."""
        return [program for program in self.needs if shutil.which(program) is None]


@dataclass(frozen=True)
class Measured:
    """What a command took: wall-clock seconds, and the bytes of memory it had at its peak."""

    seconds: float
    memory: int


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end. Raises `subprocess.CalledProcessError` when it fails."""
    done = subprocess.run(
        (sys.executable, "-I", "-S", str(_STOPWATCH), *command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Measured(**json.loads(done.stdout))


def race(
    title: str,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    warm_up: bool = True,
    moved: int | None = None,
) -> dict[str, Measured]:
    """Time the contenders in turns and print medians and ratios to the first.

    With `moved`, the bytes that each of them moves, their rates are printed too. A contender
    whose programs are not installed is skipped with a line that says so. Returns median seconds
    and highest memory by name. Raises `subprocess.CalledProcessError` when a command fails: a
    failure is not a time.
    """
    present = [contender for contender in contenders if not contender.missing]
    runs: dict[str, list[Measured]] = {contender.name: [] for contender in present}
    for number in range(rounds + warm_up):
        for contender in present:
            contender.prepare()
            measured = measure(contender.command, contender.environment)
            if number or not warm_up:  # the first round warms the caches
                runs[contender.name].append(measured)
    print(f"\n{title} ({f'median of {rounds}, in turns' if rounds > 1 else 'one round'})")
    results = {name: _summary(measured) for name, measured in runs.items()}
    for name, result in results.items():
        times = [measured.seconds * 1000 for measured in runs[name]]
        spread = f"({min(times):.0f} to {max(times):.0f})" if rounds > 1 else ""
        ratio = result.seconds / results[present[0].name].seconds
        rate = f"  {moved / result.seconds / 1e6:5.0f} MB/s" if moved else ""
        print(
            f"  {name:<34} {result.seconds * 1000:8.0f} ms  {spread:<16}"
            f"  {ratio:6.2f} x {present[0].name}{rate}  {result.memory / 1e6:6.1f} MB of memory"
        )
    for contender in contenders:
        if contender.missing:
            print(f"  {contender.name:<34} skipped, not installed: {', '.join(contender.missing)}")
    return results


def _summary(runs: Sequence[Measured]) -> Measured:
    median = statistics.median(measured.seconds for measured in runs)
    return Measured(median, max(measured.memory for measured in runs))
