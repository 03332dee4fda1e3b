"""`smolctl model batch`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from smolctl.cli.batch_progress import batch_bar, summary_line
from smolctl.cli.batch_streams import STREAM, open_input, open_results
from smolctl.cli.chat_model import Wanted, open_chat
from smolctl.cli.engine_options import (
    CacheTypeKFlag,
    CacheTypeVFlag,
    CtxSizeFlag,
    FlashAttnFlag,
    GpuLayersFlag,
    ParallelFlag,
    ThreadsFlag,
    engine_options,
)
from smolctl.cli.invocation import Invocation
from smolctl.cli.options import (
    CaFileFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    PullFlag,
    PullPolicy,
    RetriesFlag,
    local_models,
)
from smolctl.cli.run_flags import SystemFlag
from smolctl.cli.sampling_flags import (
    MaxTokensFlag,
    MinPFlag,
    RepeatPenaltyFlag,
    SeedFlag,
    TemperatureFlag,
    TopKFlag,
    TopPFlag,
)
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, UsageError
from smolctl.runner.batch.batch import Batch, Summary
from smolctl.runner.batch.rows import Asking, RowForm, Rows
from smolctl.runner.batch.template import Template
from smolctl.settings import keep_alive_seconds

if TYPE_CHECKING:
    from smolctl.cli.batch_streams import Results
    from smolctl.cli.output import Output

EXAMPLES = (
    (
        'Rows like {"id": 1, "prompt": "Name a colour."}',
        "smolctl model batch ai/smollm2 prompts.jsonl -o replies.jsonl",
    ),
    (
        "A prompt a line",
        "smolctl model batch ai/smollm2 --lines questions.txt -o replies.jsonl -n 100",
    ),
    (
        "The fields of each row, in a prompt",
        "smolctl model batch ai/smollm2 rows.csv --template 'Translate {text} into {language}:'",
    ),
    (
        "The texts alone",
        "smolctl model batch ai/smollm2 --lines - < questions.txt | jq -r .text",
    ),
)

_DEFAULT_JOBS = 4
_MAXIMUM_JOBS = 256
_GOING_ON = "Interrupted. What was finished is kept; the same command goes on with the rest."


def command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name, a model ID, or a path: ./model.gguf",
            autocompletion=local_models,
        ),
    ],
    rows: Annotated[
        str,
        typer.Argument(
            metavar="IN", help="The rows, JSON objects a line, or a CSV file; `-`: standard input."
        ),
    ],
    output_file: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Where the results go; `-`: standard output."
        ),
    ] = "-",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin OUT anew; else finished rows are kept.")
    ] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line of IN is a prompt; empty ones are none.")
    ] = False,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="TEXT",
            help="The prompt, with fields of the row: 'Translate {text}:'; @FILE reads it from a"
            " file.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=_MAXIMUM_JOBS,
            metavar="N",
            help="Rows at once; else as many as the model answers side by side.",
        ),
    ] = None,
    system: SystemFlag = None,
    temperature: TemperatureFlag = Sampling.temperature,
    top_k: TopKFlag = Sampling.top_k,
    top_p: TopPFlag = Sampling.top_p,
    min_p: MinPFlag = Sampling.min_p,
    repeat_penalty: RepeatPenaltyFlag = Sampling.repeat_penalty,
    seed: SeedFlag = None,
    max_tokens: MaxTokensFlag = None,
    ctx_size: CtxSizeFlag = None,
    threads: ThreadsFlag = None,
    parallel: ParallelFlag = None,
    gpu_layers: GpuLayersFlag = None,
    flash_attn: FlashAttnFlag = None,
    cache_type_k: CacheTypeKFlag = None,
    cache_type_v: CacheTypeVFlag = None,
    keep_alive: Annotated[
        str | None,
        typer.Option(
            "--keep-alive",
            metavar="DURATION",
            help="How long the idle model stays loaded: 5m, 0, -1 for ever (also:"
            " SMOLCTL_KEEP_ALIVE).",
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Load it in this process, and leave nothing running.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, and no summary at the end.")
    ] = False,
    pull: PullFlag = PullPolicy.missing,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Answer many prompts with one model, several at once.

    Each row of IN is a JSON object with a `prompt`, or with `messages` as OpenAI's API has them.
    It may have an `id` (else its line number is one), a `system` prompt and parameters of its own
    (`temperature`, `max_tokens`, `seed`, `stop`, …); requests of OpenAI's batches are understood
    as well. OUT gets a line of JSON for each row, in the order of the rows: `id`, `text`,
    `finish_reason`, `usage`, `timings`; or `id` and `error` for a row that failed. Then the exit
    code is 7, and the last line of standard error says how many did.

    When OUT is there already, rows that have a result in it are not asked again: the same command
    goes on after an interruption, and tries again what failed.
    """
    sampling = Sampling(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repeat_penalty=repeat_penalty,
        seed=seed,
        max_tokens=max_tokens,
    )
    options, named = engine_options(
        ctx_size=ctx_size,
        threads=threads,
        parallel=parallel,
        gpu_layers=gpu_layers,
        flash_attn=flash_attn,
        cache_type_k=cache_type_k,
        cache_type_v=cache_type_v,
    )
    stay = None if keep_alive is None else keep_alive_seconds(keep_alive, "--keep-alive")
    if local and stay is not None:
        raise UsageError("--local leaves nothing running, which contradicts --keep-alive")
    if local:
        from smolctl.runner.workers import worker_options

        # As a worker has them: one answer at a time is not what a batch is for.
        options = worker_options(options, parallel="sequences" in named)
    asking = Asking(sampling, system, Template(template) if template is not None else None)
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    wanted = Wanted(model, pull, options, named, stay, local)
    form = RowForm.LINES if lines else RowForm.CSV if rows.endswith(".csv") else RowForm.JSONL
    output = invocation.output
    with (
        open_input(rows, output) as source,
        open_results(output, output_file, source, overwrite=overwrite) as results,
    ):
        begun = time.monotonic()
        read = Rows(source.lines(), form, results.is_finished)
        bar = output.stderr_is_terminal and not quiet and not _on_terminal(output, output_file)
        total = source.count(form) if bar else None
        summary = _answered(invocation, wanted, asking, jobs, read, results, total, bar=bar)
        if not quiet:
            output.notice(summary_line(summary, read.passed, time.monotonic() - begun))
    if summary.failed:
        raise NotRunnable(
            f"{summary.failed} of {summary.failed + summary.done + read.passed} rows failed",
            hint="The results say why"
            + ("; the same command tries them again." if results.resumable else "."),
        )


def _on_terminal(output: Output, name: str) -> bool:
    """Whether results are drawn where a bar would be."""
    return name == STREAM and output.stdout_is_terminal


def _answered(
    invocation: Invocation,
    wanted: Wanted,
    asking: Asking,
    jobs: int | None,
    rows: Rows,
    results: Results,
    total: int | None,
    *,
    bar: bool,
) -> Summary:
    """Have all `rows` answered; a model is loaded only where there are some."""
    try:
        first = next(rows, None)
        if first is None:
            return Summary()
        # A bar begins where the model is there: loading it may take a bar of its own.
        with open_chat(invocation, wanted, load=True) as model, ExitStack() as showing:
            results.begin()
            told = showing.enter_context(batch_bar(total, results.finished)) if bar else None
            batch = Batch(
                model,
                asking.request,
                jobs=jobs or model.sequences or _DEFAULT_JOBS,
                on_result=told or (lambda _: None),
            )
            if results.resumable:
                invocation.output.on_interrupt(_GOING_ON)
            return batch.run(chain([first], rows), results.write)
    finally:
        results.put_in_order(rows.lines)
