"""`smolctl model batch`."""

from __future__ import annotations

from typing import Annotated

import typer

from smolctl.cli.batch_progress import batch_bar, summary_line
from smolctl.cli.batch_run import BatchRun
from smolctl.cli.batch_streams import STREAM, open_input, open_results
from smolctl.cli.chat_model import Wanted
from smolctl.cli.engine_options import (
    CacheTypeKFlag,
    CacheTypeVFlag,
    CtxSizeFlag,
    FlashAttnFlag,
    GpuLayersFlag,
    KeepAliveFlag,
    LocalFlag,
    ParallelFlag,
    ThreadsFlag,
    engine_options,
)
from smolctl.cli.invocation import Invocation
from smolctl.cli.layout import is_layout
from smolctl.cli.options import (
    CaFileFlag,
    MaxConnectionsFlag,
    NetworkFlags,
    OfflineFlag,
    PlainHttpFlag,
    PullFlag,
    PullPolicy,
    RetriesFlag,
)
from smolctl.cli.prompt_sources import text_or_file
from smolctl.cli.reply_flags import ReplyFlags, ReplyFormat
from smolctl.cli.reply_form import ReplyForm
from smolctl.cli.run_flags import (
    ChunkFlag,
    FormatFlag,
    GrammarFlag,
    SchemaFlag,
    SchemaMultiFlag,
    StopFlag,
    SystemFlag,
)
from smolctl.cli.sampling_flags import (
    MaxTokensFlag,
    MinPFlag,
    RepeatPenaltyFlag,
    SeedFlag,
    TemperatureFlag,
    TopKFlag,
    TopPFlag,
)
from smolctl.cli.source import looks_like_a_file
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable, UsageError
from smolctl.model.reference import ModelId
from smolctl.runner.batch.rows import Asking, RowForm, Rows
from smolctl.runner.batch.template import Template
from smolctl.settings import expanded, keep_alive_seconds

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
        "smolctl model batch ai/smollm2 --lines questions.txt | jq -r .text",
    ),
)

_MAXIMUM_JOBS = 256


def command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name, a model ID, or a path: ./model.gguf",
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
    chunk: ChunkFlag = False,
    schema: SchemaFlag = None,
    schema_multi: SchemaMultiFlag = None,
    format_: FormatFlag = ReplyFormat.text,
    grammar: GrammarFlag = None,
    temperature: TemperatureFlag = Sampling.temperature,
    top_k: TopKFlag = Sampling.top_k,
    top_p: TopPFlag = Sampling.top_p,
    min_p: MinPFlag = Sampling.min_p,
    repeat_penalty: RepeatPenaltyFlag = Sampling.repeat_penalty,
    seed: SeedFlag = None,
    max_tokens: MaxTokensFlag = None,
    stop: StopFlag = None,
    ctx_size: CtxSizeFlag = None,
    threads: ThreadsFlag = None,
    parallel: ParallelFlag = None,
    gpu_layers: GpuLayersFlag = None,
    flash_attn: FlashAttnFlag = None,
    cache_type_k: CacheTypeKFlag = None,
    cache_type_v: CacheTypeVFlag = None,
    keep_alive: KeepAliveFlag = None,
    local: LocalFlag = False,
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
    as well. Of a CSV file, and with --template, count `id`, `prompt`, `system` and parameters that
    are numbers; other fields may be any. OUT gets a line of JSON for each row, in the order of the
    rows: `id`, `text`, `finish_reason`, `usage`, `timings`; or `id` and `error` for a row that
    failed. Then the exit code is 7, and standard error says how many did.

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
    flags = ReplyFlags(schema, schema_multi, format_, grammar, stop=tuple(stop or ()))
    flags.check()
    filled = text_or_file(template)
    form = ReplyForm.read(flags)
    asking = Asking(
        sampling,
        text_or_file(system),
        Template(filled) if filled is not None else None,
        flags.stop,
        form.grammar,
        form.note,
    )
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    wanted = Wanted(model, pull, options, named, stay, local)
    output = invocation.output
    name = _whole_name(invocation, model)
    run = BatchRun(invocation, wanted, asking, form, jobs, chunk=chunk)
    row_form = RowForm.LINES if lines else RowForm.CSV if rows.endswith(".csv") else RowForm.JSONL
    with (
        open_input(rows, output) as source,
        open_results(output, output_file, source, overwrite=overwrite) as results,
    ):
        read = Rows(
            source.lines(),
            row_form,
            lambda row: row.id is not None and results.is_finished(row.id, row.asked),
            lambda row: asking.digest(row, name, f"{chunk=}"),
        )
        # Not where the results are drawn already.
        drawn = output_file == STREAM and output.stdout_is_terminal
        bar = output.stderr_is_terminal and not quiet and not drawn
        with batch_bar(lambda: source.count(row_form), results.finished, drawn=bar) as told:
            summary = run.answer(read, results, told)
    if not quiet:
        output.notice(summary_line(summary, read.passed))
    if summary.failed:
        raise NotRunnable(
            f"{summary.failed} of {summary.done + summary.failed + read.passed} rows failed",
            hint="The results say why"
            + ("; the same command tries them again." if results.resumable else "."),
        )


def _whole_name(invocation: Invocation, model: str) -> str:
    """Return what `model` is called however it was written."""
    if looks_like_a_file(model):
        return str(expanded(model).absolute())
    if is_layout(model) or ModelId.parse(model) is not None:
        return model
    return invocation.store.parse(model).canonical
