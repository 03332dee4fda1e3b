"""`smolctl model bench`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smolctl.cli.crash import on_abort
from smolctl.cli.engine_options import (
    CacheTypeKFlag,
    CacheTypeVFlag,
    FlashAttnFlag,
    GpuLayersFlag,
    ThreadsFlag,
    engine_options,
)
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import JsonFlag, PullPolicy
from smolctl.cli.source import find_source
from smolctl.engine.loading import usable_cores
from smolctl.errors import UsageError
from smolctl.runner.benchmark import Speed, Spread, Workload, measure, processor
from smolctl.runner.runnable import Runnable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from smolctl.cli.output import Output
    from smolctl.engine.options import EngineOptions

EXAMPLES = (
    ("Prompt and reply speed, for one, two, four and eight at once", "smolctl model bench smollm2"),
    (
        "What a long prompt takes, with another number of threads",
        "smolctl model bench smollm2 --concurrency 1 -p 4096 -n 16 --threads 4",
    ),
    (
        "For a script",
        "smolctl model bench smollm2 --json | jq '.results[].generation_per_second.mean'",
    ),
)

_HEADERS = ("SEQUENCES", "PROMPT", "GENERATION", "EACH", "FIRST TOKEN")


def command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name, a model ID, or a path: ./model.gguf",
        ),
    ],
    concurrency: Annotated[
        str, typer.Option(metavar="N,…", help="How many answers at once, one run after another.")
    ] = "1,2,4,8",
    prompt_tokens: Annotated[
        int, typer.Option("--prompt-tokens", "-p", help="Tokens of each prompt.")
    ] = Workload.prompt_tokens,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", "-n", help="Tokens of each answer.")
    ] = Workload.reply_tokens,
    repetitions: Annotated[
        int, typer.Option("--repetitions", "-r", help="How often each is measured.")
    ] = Workload.repetitions,
    threads: ThreadsFlag = None,
    gpu_layers: GpuLayersFlag = None,
    flash_attn: FlashAttnFlag = None,
    cache_type_k: CacheTypeKFlag = None,
    cache_type_v: CacheTypeVFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how fast a model is on this machine.

    Random prompts are answered in this process, one alone and then several side by side. Speeds
    are tokens per second of all of them together, with the standard deviation of the repetitions;
    the time to the first token is the median of prompts that come at one time.
    """
    workload = Workload(prompt_tokens, max_tokens, repetitions)
    options, _ = engine_options(
        ctx_size=None,
        threads=threads,
        parallel=None,
        gpu_layers=gpu_layers,
        flash_attn=flash_attn,
        cache_type_k=cache_type_k,
        cache_type_v=cache_type_v,
    )
    wanted = [replace(options, sequences=number) for number in _numbers(concurrency)]
    invocation = Invocation.of(ctx)
    output = invocation.output
    runnable = Runnable.read(find_source(invocation, model, PullPolicy.never))

    def measured() -> Iterator[Speed]:
        for each in wanted:
            if output.stderr_is_terminal:
                output.notice(f"Measuring {each.sequences} at once")
            yield measure(runnable, each, workload, debug=output.debug, on_abort=on_abort(output))

    speeds: list[Speed] = []
    try:
        for speed in measured():
            speeds.append(speed)
    except KeyboardInterrupt:
        if speeds and not as_json:
            output.notice(f"\nInterrupted. {len(speeds)} of {len(wanted)} were measured.")
            output.on_interrupt("")
            _show(output, speeds)
        raise
    if as_json:
        output.json(_document(runnable, options, workload, speeds))
    else:
        _show(output, speeds)


def _show(output: Output, speeds: Sequence[Speed]) -> None:
    rows = [_row(speed) for speed in speeds]
    output.table(_HEADERS, rows, dispensable=("EACH", "FIRST TOKEN", "PROMPT"))


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise UsageError(f"--concurrency is {text}", hint="It is numbers with commas: 1,2,4,8.")
    return [int(part) for part in parts]


def _row(speed: Speed) -> tuple[str, ...]:
    prompt, reply, first = _spreads(speed)
    return (
        str(speed.sequences),
        f"{_shown(prompt)} tokens/s",
        f"{_shown(reply)} tokens/s",
        f"{reply.mean / speed.sequences:.1f} tokens/s",
        f"{_shown(first)} ms",
    )


def _shown(spread: Spread) -> str:
    return f"{spread.mean:.1f} ± {spread.deviation:.1f}"


def _spreads(speed: Speed) -> tuple[Spread, Spread, Spread]:
    """Return the prompts' and the replies' tokens per second, and ms to the first token."""
    return (
        Spread.of([run.prompt_rate for run in speed.runs]),
        Spread.of([run.reply_rate for run in speed.runs]),
        Spread.of([run.first_token * 1000 for run in speed.runs]),
    )


def _document(
    runnable: Runnable, options: EngineOptions, workload: Workload, speeds: list[Speed]
) -> dict[str, Any]:
    keys = ("prompt_per_second", "generation_per_second", "first_token_ms")
    return {
        "id": runnable.source.id,
        "model": runnable.source.name,
        "processor": processor(),
        "prompt_tokens": workload.prompt_tokens,
        "max_tokens": workload.reply_tokens,
        "repetitions": workload.repetitions,
        "threads": options.threads or usable_cores(),
        "flash_attention": options.flash_attention,
        "cache_type_k": options.cache_type_k,
        "cache_type_v": options.cache_type_v,
        "results": [
            {
                "sequences": speed.sequences,
                **{
                    key: {"mean": spread.mean, "deviation": spread.deviation}
                    for key, spread in zip(keys, _spreads(speed), strict=True)
                },
            }
            for speed in speeds
        ],
    }
