"""One sequence: prompt and generation speed against `llama-bench`."""

from __future__ import annotations

import json
import statistics
import subprocess
from typing import TYPE_CHECKING, Any

from benchmarks import goals
from benchmarks.llama_tools import tool
from benchmarks.served import MODEL

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.served import Smolctl

_ROUNDS = 3
_PROMPT, _GENERATED = 512, 128
_REPETITIONS = "2"


def measure(smolctl: Smolctl, weights: Path) -> None:
    """Time both in turns; each run of either is a process of its own."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        theirs.append(_llama_bench(weights))
        ours.append(_smolctl_bench(smolctl))
    print(f"\nOne sequence, prompt of {_PROMPT}, reply of {_GENERATED} (median of {_ROUNDS})")
    medians = []
    for name, runs in (("smolctl model bench", ours), ("llama-bench", theirs)):
        prompt, generation = (statistics.median(speeds) for speeds in zip(*runs, strict=True))
        medians.append((prompt, generation))
        print(f"  {name:<34} prompt {prompt:7.1f} tokens/s  generation {generation:6.1f} tokens/s")
    (prompt, generation), (their_prompt, their_generation) = medians
    goals.GENERATION.judge(generation / their_generation)
    goals.PROMPT.judge(prompt / their_prompt)


def _llama_bench(weights: Path) -> tuple[float, float]:
    command = (str(tool("llama-bench")), "-m", str(weights), "-o", "json", "-r", _REPETITIONS)
    sizes = ("-p", str(_PROMPT), "-n", str(_GENERATED))
    done = subprocess.run((*command, *sizes), capture_output=True, check=True, text=True)
    prompt, generation = json.loads(done.stdout)
    return prompt["avg_ts"], generation["avg_ts"]


def _smolctl_bench(smolctl: Smolctl) -> tuple[float, float]:
    """Measure as `llama-bench` does: the reply begins at an empty context, not after the prompt."""
    prompt = _bench(smolctl, str(_PROMPT), "1")["prompt_per_second"]["mean"]
    generation = _bench(smolctl, "1", str(_GENERATED))["generation_per_second"]["mean"]
    return prompt, generation


def _bench(smolctl: Smolctl, prompt: str, generated: str) -> dict[str, Any]:
    arguments = ("-p", prompt, "-n", generated, "--concurrency", "1", "-r", _REPETITIONS)
    (row,) = json.loads(smolctl("model", "bench", "--json", *arguments, MODEL))["results"]
    found: dict[str, Any] = row
    return found
