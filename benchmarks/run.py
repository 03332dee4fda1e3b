"""Running a model, against llama.cpp's own tools built from the same source.

The model has the geometry of SmolLM2-360M in Q4_K_M, its weights random. Each table compares
what was measured in turns; nothing else of two lines can be compared.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks import goals, one_sequence, one_shots
from benchmarks.callers import Load, call, first_token, prompt
from benchmarks.llama_tools import MISSING, llama_server, tool
from benchmarks.published import Published
from benchmarks.served import MODEL, Smolctl
from tests.support.random_model import SMOLLM2_360M, Geometry

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.llama_tools import Server

_QUANTIZATION = "Q4_K_M"
_CALLERS = 8
_ROUNDS = 3
_PROMPT_WORDS, _REPLY_TOKENS = 20, 48
_CONTEXT = 1024
"""Tokens of context for each of the callers."""
_SYSTEM_WORDS = 130


def run(folder: Path, geometry: Geometry = SMOLLM2_360M) -> None:
    """Measure runs of a model of `geometry`; the goals are for the real size."""
    if tool("llama-server") is None:
        print(f"\nRunning a model: skipped: {MISSING}")
        return
    published = Published.make(folder / "models", geometry, _QUANTIZATION)
    weights = published.store.blobs.path(published.weights.digest)
    print(f"\nThe model: {published.weights.size / 1e6:.0f} MB in {_QUANTIZATION}")
    smolctl = Smolctl(folder / "models", folder / "own")
    one_sequence.measure(smolctl, weights)
    _eight_callers(smolctl, weights)
    _same_prefix(smolctl)
    one_shots.cold(smolctl, weights)
    one_shots.warm(smolctl, weights, folder / "warm")


def _eight_callers(smolctl: Smolctl, weights: Path) -> None:
    ours: list[Load] = []
    theirs: list[Load] = []
    size = str(_CALLERS * _CONTEXT)
    with (
        smolctl.serving("--parallel", str(_CALLERS), "--ctx-size", str(_CONTEXT)) as gateway,
        llama_server(weights, "-np", str(_CALLERS), "-c", size) as peer,
    ):
        for turn in range(_ROUNDS + 1):
            for server, loads in ((gateway, ours), (peer, theirs)):
                load = _load(server, turn)
                if turn:  # the first warms up
                    loads.append(load)
        memory = (gateway.peak_memory, peer.peak_memory)
    print(f"\n{_CALLERS} callers over HTTP (median of {_ROUNDS}, in turns)")
    names = ("smolctl serve", "llama-server")
    (tokens, first), (their_tokens, their_first) = map(_median, (ours, theirs))
    for name, rate, seconds, used in zip(
        names, (tokens, their_tokens), (first, their_first), memory, strict=True
    ):
        print(
            f"  {name:<34} {rate:8.1f} tokens/s  first token {seconds * 1000:6.0f} ms"
            f"  {used / 1e6:6.0f} MB of memory at its peak"
        )
    goals.EIGHT_TOKENS.judge(tokens / their_tokens)
    goals.EIGHT_FIRST.judge(first / their_first)
    goals.WORKER_MEMORY.judge(memory[0] / memory[1])


def _load(server: Server, turn: int) -> Load:
    return call(server.port, MODEL, _CALLERS, turn=turn, words=_PROMPT_WORDS, tokens=_REPLY_TOKENS)


def _median(loads: list[Load]) -> tuple[float, float]:
    return (
        statistics.median(load.tokens_per_second for load in loads),
        statistics.median(load.first_token for load in loads),
    )


def _same_prefix(smolctl: Smolctl) -> None:
    ratios = []
    print("\nA long system prompt, and the same one again")
    with smolctl.serving() as gateway:
        for turn in range(_ROUNDS):
            system = prompt(100 + turn, turn, _SYSTEM_WORDS)
            first, again = (
                first_token(gateway.port, MODEL, system=system, text=text)
                for text in ("What is it about?", "Who wrote it?")
            )
            ratios.append(again / first)
            print(f"  first token {first * 1000:6.0f} ms, then {again * 1000:5.0f} ms")
    goals.PREFIX.judge(statistics.median(ratios))
