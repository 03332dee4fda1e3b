"""What a pull and a run are to reach, and the lines that say whether they do.

The figures are what the project set out to reach; nothing in the benchmarks is fitted to them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JUDGED = re.compile(
    r"^  goal (?P<what>.+): (?P<goal>at (?:least|most) .+): "
    r"(?:measured (?P<measured>[^\s:]+): (?P<verdict>met|NOT MET)|not measured: .*)$",
    re.MULTILINE,
)
"""A line that `Goal.judge` printed."""


@dataclass(frozen=True)
class Goal:
    """A limit for one measured number: an upper one, or a lower one when `at_least`."""

    what: str
    limit: float
    unit: str
    at_least: bool = False

    def judge(self, measured: float | None, missing: str = "") -> None:
        """Print whether `measured` meets the goal; None when `missing` kept it from being known."""
        bound = "at least" if self.at_least else "at most"
        line = f"  goal {self.what}: {bound} {self.limit:g} {self.unit}"
        if measured is None:
            print(f"{line}: not measured: {missing}")
            return
        met = measured >= self.limit if self.at_least else measured <= self.limit
        print(f"{line}: measured {measured:.4g}: {'met' if met else 'NOT MET'}")


AGAINST_SKOPEO = Goal("a verified pull", 0.45, "x skopeo copy")
AGAINST_CURL = Goal("a verified pull", 1.0, "x curl && openssl dgst")
THROTTLED = Goal("slow connections", 6.0, "x as fast as curl", at_least=True)
MEMORY = Goal("peak memory of a pull", 120, "MB")
RESUMED = Goal("bytes of the pull after a kill at half", 55, "% of the model")
SHARED = Goal("moved by a second tag with the same weights", 0, "MB")
KILLED = Goal("kills that one pull survives, its digest right", 20, "kills", at_least=True)
REMOVED = Goal("files that rm leaves after them", 0, "files")

GENERATION = Goal("one sequence, generation", 0.97, "x llama-bench -n", at_least=True)
PROMPT = Goal("one sequence, prompt", 0.97, "x llama-bench -p", at_least=True)
EIGHT_TOKENS = Goal("eight callers, tokens/s", 1.0, "x llama-server -np 8", at_least=True)
EIGHT_FIRST = Goal("eight callers, time to first token", 1.0, "x llama-server -np 8")
COLD_LOCAL = Goal("cold, run --local", 0.9, "x llama-cli -n 1 -st")
COLD_WORKER = Goal("cold, run with a new worker", 1.1, "x llama-cli -n 1 -st")
WARM = Goal("warm run", 1.5, "x curl to llama-server")
PREFIX = Goal("first token, same system prompt again", 0.1, "x the first time")
WORKER_MEMORY = Goal("peak memory of the worker", 1.1, "x llama-server's")

VERSION = Goal("smolctl --version", 2, "x python -c pass")
LISTING = Goal("smolctl model ls", 6, "x python -c pass")
MANY = Goal("smolctl model ls, 1,000 models", 2, "x smolctl model ls, 10 models")
REQUEST = Goal("smolctl model run, until its request is sent", 9, "x python -c pass")
