"""Many short prompts: `model batch` against as many calls of `model run`, with the demo model.

Its steps take a millisecond, so that what is measured is what surrounds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.served import Smolctl
from benchmarks.timing import Contender, race
from smolctl.demo.artifact import REPOSITORY, publish
from smolctl.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_PROMPTS = 100
_ROUNDS = 5
_REPLY = ("-n", "24", "--temperature", "0")


def run(folder: Path) -> None:
    """Time the prompts, with a worker that is up."""
    publish(Store(folder / "models"))
    smolctl = Smolctl(folder / "models", folder / "own")
    prompts = folder / "prompts"
    prompts.write_text("".join(f"Colour {number}?\n" for number in range(_PROMPTS)))
    lines = ("--lines", REPOSITORY, str(prompts), "-q", "-o", "/dev/null")
    calls = " ".join(smolctl.command("model", "run", *_REPLY, REPOSITORY))

    def batch(*more: str) -> tuple[str, ...]:
        return smolctl.command("model", "batch", *lines, *_REPLY, *more)

    def each(at_once: int) -> tuple[str, ...]:
        asked = f"tr '\\n' '\\0' < {prompts} | xargs -0 -P{at_once} -n1 {calls} > {folder}/replies"
        return ("sh", "-c", asked)

    smolctl("model", "run", "--detach", REPOSITORY)
    race(
        f"{_PROMPTS} short prompts, the demo model",
        [
            Contender("model batch", batch(), smolctl.environment),
            Contender("model batch --jobs 8", batch("--jobs", "8"), smolctl.environment),
            Contender("xargs -P4 model run", each(4), smolctl.environment, needs=("xargs",)),
            Contender("xargs -P1 model run", each(1), smolctl.environment, needs=("xargs",)),
        ],
        rounds=_ROUNDS,
    )
    smolctl.unload()
