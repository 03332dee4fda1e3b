"""One-shots of one token: cold, with a new worker, and with one that is up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import goals
from benchmarks.callers import prompt
from benchmarks.llama_tools import llama_server, tool
from benchmarks.served import MODEL
from benchmarks.timing import Contender, race

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.served import Smolctl

_ROUNDS = 9
_WORDS = 1
"""The model makes a token of each byte: a word is then what a short question is to SmolLM2."""


def cold(smolctl: Smolctl, weights: Path) -> None:
    """Time the first token of a model that is not loaded; its file is in the page cache."""
    text = prompt(0, 0, _WORDS)
    run = smolctl.command("model", "run", "-n", "1")
    cli = tool("llama-cli") or "llama-cli"
    names = ("smolctl model run --local", "smolctl model run, a new worker", "llama-cli -n 1 -st")
    results = race(
        "Cold: one token, the file in the page cache",
        [
            Contender(names[0], (*run, "--local", MODEL, text), smolctl.environment),
            Contender(names[1], (*run, MODEL, text), smolctl.environment, smolctl.unload),
            Contender(names[2], (cli, "-m", str(weights), "-n", "1", "-st", "-p", text)),
        ],
        rounds=_ROUNDS,
    )
    smolctl.unload()
    peer = results[names[2]].seconds
    goals.COLD_LOCAL.judge(results[names[0]].seconds / peer)
    goals.COLD_WORKER.judge(results[names[1]].seconds / peer)


def warm(smolctl: Smolctl, weights: Path, folder: Path) -> None:
    """Time a request to a worker that is up, against curl's to llama-server.

    With the same prompt each time, which the servers have in their caches, and with another one.
    """
    folder.mkdir(parents=True)
    text, body = folder / "prompt", folder / "body"
    turn = 0

    def write(number: int) -> None:
        words = prompt(number, 0, _WORDS)
        text.write_text(words)
        messages = [{"role": "user", "content": words}]
        body.write_text(json.dumps({"messages": messages, "max_tokens": 1}))

    def another() -> None:
        nonlocal turn
        turn += 1
        write(turn)

    run = " ".join(smolctl.command("model", "run", "-n", "1", MODEL))
    smolctl("model", "run", "--detach", MODEL)
    with llama_server(weights) as server:
        url = f"http://127.0.0.1:{server.port}/v1/chat/completions"

        def contenders(prepare: Callable[[], None]) -> list[Contender]:
            # Both read the prompt from a file by a shell, so that it can be another each time.
            ours = ("sh", "-c", f'exec {run} "$(cat {text})"')
            curl = ("sh", "-c", f"exec curl -sSf -o /dev/null -d @{body} {url}")
            return [
                Contender("smolctl model run", ours, smolctl.environment, prepare),
                Contender("curl to llama-server", curl, needs=("curl",)),
            ]

        write(0)
        for title, prepare in (("the same prompt", lambda: None), ("a new prompt", another)):
            results = race(f"Warm: one token, {title}", contenders(prepare), rounds=_ROUNDS)
            if len(results) == 2:
                ours, peer = (measured.seconds for measured in results.values())
                goals.WARM.judge(ours / peer)
    smolctl.unload()
