"""`smolctl model run`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from smolctl.cli.chat import Chat
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
from smolctl.cli.prompt import read_prompt, wants_chat
from smolctl.cli.source import find_source
from smolctl.engine.conversation import ChatRequest, Message
from smolctl.engine.engine import Engine
from smolctl.engine.options import EngineOptions
from smolctl.engine.sampling import Sampling
from smolctl.errors import NotRunnable
from smolctl.runner.loaded import LoadedModel
from smolctl.runner.runnable import Runnable

if TYPE_CHECKING:
    from smolctl.cli.output import Output

EXAMPLES = (
    ("Ask one question", 'smolctl model run ai/smollm2 "What is the capital of France?"'),
    ("Chat, on a terminal", "smolctl model run ai/smollm2"),
    ("Work on piped text", 'cat notes.txt | smolctl model run ai/smollm2 "Summarize:"'),
    ("The same answer every time", "smolctl model run ai/smollm2 --temperature 0 'Name a colour'"),
    (
        "Several at once, each answer in one piece",
        "xargs -P4 -I{} smolctl model run ai/smollm2 --no-stream 'Translate: {}' < words.txt",
    ),
    ("A bare file", "smolctl model run ./model.gguf 'Hello'"),
)


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
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROMPT]...", help="The prompt; `-` reads it from standard input."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="The system prompt.")] = None,
    temperature: Annotated[
        float, typer.Option(help="How freely to choose; 0 always takes the likeliest token.")
    ] = Sampling.temperature,
    top_k: Annotated[
        int, typer.Option("--top-k", help="Choose among this many tokens; 0 among all.")
    ] = Sampling.top_k,
    top_p: Annotated[
        float, typer.Option("--top-p", help="Choose among the likeliest that sum up to this.")
    ] = Sampling.top_p,
    min_p: Annotated[
        float,
        typer.Option("--min-p", help="Leave out tokens below this share of the best."),
    ] = Sampling.min_p,
    repeat_penalty: Annotated[
        float, typer.Option("--repeat-penalty", help="Above 1: make repetition less likely.")
    ] = Sampling.repeat_penalty,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same answer; random by default.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", "-n", help="End the answer after this many.")
    ] = None,
    ctx_size: Annotated[
        int | None, typer.Option("--ctx-size", "-c", help="Tokens of context; else the model's.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; else one per core.")] = None,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Print the answer in one piece, when it is whole.")
    ] = False,
    pull: PullFlag = PullPolicy.missing,
    plain_http: PlainHttpFlag = False,
    ca_file: CaFileFlag = None,
    max_connections: MaxConnectionsFlag = None,
    retries: RetriesFlag = None,
    offline: OfflineFlag = False,
) -> None:
    """Run a model: answer a prompt, or chat on a terminal.

    The answer goes to standard output as it is generated, and nothing else does. With a prompt
    and piped text, the model gets the prompt, a blank line and the text. Without a prompt, on a
    terminal, it opens a chat. A model that is not here yet is pulled first.
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
    options = EngineOptions(context_size=ctx_size, threads=threads)
    network = NetworkFlags(plain_http, ca_file, max_connections, retries)
    invocation = Invocation.of(ctx, offline=offline, network=network)
    words = prompt or []
    chat = wants_chat(words)
    # The prompt first: a mistake in it should not have to wait for a model to load.
    text = "" if chat else read_prompt(words, invocation.output)
    runnable = Runnable.read(find_source(invocation, model, pull))
    options = runnable.fit(options)
    if ctx_size is None and options.context_size != runnable.full_context:
        invocation.output.notice(
            f"The context is {options.context_size} tokens: the model's {runnable.full_context} do"
            " not fit in memory."
        )
    debug = invocation.output.debug
    crashed = None if debug else partial(_crashed, invocation.output)
    with Engine.open(runnable.source.weights, options, debug=debug, on_abort=crashed) as engine:
        loaded = LoadedModel(runnable, engine, options)
        if chat:
            Chat(invocation.output, loaded, sampling, system).run()
        else:
            messages = [Message("system", system)] if system else []
            request = ChatRequest((*messages, Message("user", text)), sampling)
            _answer(invocation.output, loaded, request, stream=not no_stream)


def _crashed(output: Output, reason: str) -> NoReturn:
    """Say that llama.cpp aborts this process, and end it as what cannot be run ends."""
    output.flush()
    output.error(f"llama.cpp crashed: {reason}", "--debug shows its log and a backtrace.")
    os._exit(NotRunnable.exit_code)


def _answer(output: Output, loaded: LoadedModel, chat: ChatRequest, *, stream: bool) -> None:
    kept: list[str] = []
    ended = True
    prepared = loaded.prepare(chat)
    with loaded.engine.submit(prepared.request) as generation:
        try:
            for delta in prepared.reader.deltas(generation):
                if delta.reasoning:
                    output.aside(delta.reasoning)
                if not delta.content:
                    continue
                ended = delta.content.endswith("\n")
                if stream:
                    output.piece(delta.content)
                else:
                    kept.append(delta.content)
        finally:
            # Also when it was interrupted: what came is part of the answer, and ends as a line.
            rest = "".join(kept) + ("" if ended else "\n")
            if rest:
                output.piece(rest)
