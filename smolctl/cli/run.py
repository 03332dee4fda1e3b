"""`smolctl model run`.

Annotations are values here, and not text as elsewhere: for Typer to evaluate forty of them takes
a fiftieth of the time until a worker has its request.
"""

from typing import Annotated

import typer

from smolctl.cli.chat_model import Wanted, open_chat
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
from smolctl.cli.loaded_notice import tell_loaded
from smolctl.cli.one_shot import OneShot
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
from smolctl.cli.prompt import wants_chat
from smolctl.cli.prompt_sources import PromptSources, text_or_file
from smolctl.cli.record import check_continued, open_record
from smolctl.cli.reply_flags import ReplyFlags, ReplyFormat
from smolctl.cli.reply_form import ReplyForm
from smolctl.cli.run_flags import (
    ChunkFlag,
    ContinueFlag,
    ExtractFlag,
    FileFlag,
    FormatFlag,
    GrammarFlag,
    NoMarkdownFlag,
    NoStreamFlag,
    PromptFileFlag,
    ReplyJsonFlag,
    SchemaFlag,
    SchemaMultiFlag,
    SessionFlag,
    StopFlag,
    SystemFlag,
    ToolChoiceFlag,
    ToolsFlag,
    VerboseFlag,
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
from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError
from smolctl.settings import keep_alive_seconds

EXAMPLES = (
    ("Ask one question", 'smolctl model run ai/smollm2 "What is the capital of France?"'),
    ("Chat, on a terminal", "smolctl model run ai/smollm2"),
    ("Work on piped text", 'cat notes.txt | smolctl model run ai/smollm2 "Summarize:"'),
    ("The same answer every time", "smolctl model run ai/smollm2 --temperature 0 'Name a colour'"),
    (
        "Several at once, each answer in one piece",
        "xargs -P4 -I{} smolctl model run ai/smollm2 --no-stream 'Translate: {}' < words.txt",
    ),
    (
        "Fields of a text, as JSON",
        "smolctl model run ai/smollm2 -f bill.txt --schema 'vendor, total float, due: YYYY-MM-DD'",
    ),
    (
        "The code alone, to a file",
        "smolctl model run ai/smollm2 -x 'A Python function that reverses a list' > reverse.py",
    ),
    (
        "A text that is longer than the context",
        "smolctl model run ai/smollm2 --chunk -f book.txt 'Summarize:'",
    ),
    ("Text, tokens and timings", "smolctl model run ai/smollm2 --json 'Hello' | jq .usage"),
    ("A bare file", "smolctl model run ./model.gguf 'Hello'"),
)


def command(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name, a model ID, or a path: ./model.gguf",
        ),
    ],
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROMPT]...", help="The prompt; `-` reads it from standard input."),
    ] = None,
    system: SystemFlag = None,
    prompt_file: PromptFileFlag = None,
    file: FileFlag = None,
    chunk: ChunkFlag = False,
    session: SessionFlag = None,
    continue_: ContinueFlag = False,
    schema: SchemaFlag = None,
    schema_multi: SchemaMultiFlag = None,
    format_: FormatFlag = ReplyFormat.text,
    grammar: GrammarFlag = None,
    tools: ToolsFlag = None,
    tool_choice: ToolChoiceFlag = None,
    extract: ExtractFlag = False,
    json_: ReplyJsonFlag = False,
    verbose: VerboseFlag = False,
    no_stream: NoStreamFlag = False,
    no_markdown: NoMarkdownFlag = False,
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
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Load the model, and leave.")
    ] = False,
    local: LocalFlag = False,
    pull: PullFlag = PullPolicy.missing,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Run a model: answer a prompt, or chat on a terminal.

    The answer goes to standard output as it is generated, and nothing else does. The model gets
    the words of the prompt, then what is in --prompt-file, in each --file and on standard input,
    with a blank line between them. Without a prompt, on a terminal, it opens a chat. A model that
    is not here yet is pulled first. It stays loaded for a while, in a process of its own, for
    whoever asks next.

    A reply that was cut before its JSON, its grammar, its code block or its tool call was whole
    ends in exit code 7; what there is of it is printed all the same. A model that answers in text
    though it may call tools prints nothing on standard output, and the exit code is 0.
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
    if local and (detach or stay is not None):
        flag = "--detach" if detach else "--keep-alive"
        raise UsageError(f"--local leaves nothing running, which contradicts {flag}")
    sources = PromptSources(tuple(prompt or ()), prompt_file, tuple(file or ()))
    if detach and sources.some:
        raise UsageError("--detach only loads the model: it takes no prompt")
    flags = ReplyFlags(
        schema=schema,
        schema_multi=schema_multi,
        format=format_,
        grammar=grammar,
        tools=tools,
        tool_choice=tool_choice,
        stop=tuple(stop or ()),
        extract=extract,
        json=json_,
        verbose=verbose,
        stream=not no_stream,
        markdown=not no_markdown,
        chunk=chunk,
        kept=continue_ or session is not None,
    )
    flags.check()
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    chat = not (detach or sources.some or flags.for_scripts) and wants_chat(sources.words)
    system = text_or_file(system)
    # The prompt first: a mistake in it should not have to wait for a model to load.
    question = None
    if continue_ and session is None:
        check_continued(invocation, model)
    if not chat and not detach:
        form = ReplyForm.read(flags)
        if not sources.some and wants_chat(()):
            invocation.output.notice(f"{flags.without_chat[0]} is for one answer, not for a chat.")
        asked = sources.read(invocation.output)
        question = OneShot(asked, form, flags, system, sampling)
    record = open_record(invocation, model, session=session, latest=continue_)
    wanted = Wanted(model, pull, options, named, stay, local)
    if chat:
        from smolctl.cli.chat.start import chat_on_terminal

        chat_on_terminal(
            invocation, wanted, sampling, system, record, verbose=verbose, markdown=not no_markdown
        )
        return
    with open_chat(invocation, wanted, load=question is None or chunk) as found:
        if question is not None:
            question.answer(invocation.output, found, record)
        else:
            tell_loaded(invocation, found.name)
