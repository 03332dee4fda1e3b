"""The model that `run` chats with: a worker's, one behind a gateway, or one in this process."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from smolctl import quick
from smolctl.cli.crash import on_abort
from smolctl.engine.options import EngineOptions
from smolctl.errors import UsageError
from smolctl.history.location import HistoryFiles
from smolctl.notes import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from smolctl.cli.invocation import Invocation
    from smolctl.cli.options import PullPolicy
    from smolctl.cli.output import Output
    from smolctl.runner.chat_model import ChatModel
    from smolctl.runner.remote_chat import Start
    from smolctl.runner.source import ModelSource


class Wanted(NamedTuple):
    """What model is wanted, and how: `named` are the options that a flag asked for."""

    model: str
    pull: PullPolicy
    options: EngineOptions = EngineOptions()
    named: frozenset[str] = frozenset()
    keep_alive: float | None = None
    local: bool = False


@contextmanager
def open_chat(invocation: Invocation, wanted: Wanted, *, load: bool) -> Iterator[ChatModel]:
    """Find or load what is `wanted`. With `load`, the model is there when the block begins.

    Without, it may be loaded for the first request only.
    """
    host = invocation.settings.host
    if wanted.local:
        with _local(invocation, wanted) as model:
            yield model
    elif host is not None:
        yield _behind(host, invocation, wanted)
    else:
        with _with_worker(invocation, wanted, load=load) as model:
            yield model


@contextmanager
def _with_worker(invocation: Invocation, wanted: Wanted, *, load: bool) -> Iterator[ChatModel]:
    """Find the model's worker, which is started when it is needed.

    What it takes to ask it is noted for the next one who does.
    """
    from smolctl.cli.source import find_source
    from smolctl.runner.address import WorkerFolder
    from smolctl.runner.connection import Endpoint
    from smolctl.runner.remote_chat import CHAT_PATH, RemoteChat

    index = str(invocation.store.index_path)
    before = state_of(index)
    source = find_source(invocation, wanted.model, wanted.pull)
    folder = WorkerFolder.of(invocation.settings)
    folder.check()
    address = folder.address(source.id)
    start = partial(_start, invocation, wanted, source, address.log)
    if invocation.output.debug and address.socket.exists():
        invocation.output.notice(
            f"What {source.name} logged before now: smolctl model logs {wanted.model}"
        )
    endpoint = Endpoint(address.socket)
    headers = _headers(wanted, source, invocation.settings.keep_alive)
    model = RemoteChat(source.name, endpoint, headers, start=start, log=address.log)
    if load:
        model.load()
    yield model
    # A flag belongs to this call alone, and a file has no name that an index gives it.
    if before is not None and source.names and not wanted.named and wanted.keep_alive is None:
        head = endpoint.head("POST", CHAT_PATH, headers)
        marker = HistoryFiles(invocation.settings.state).marker
        note = quick.Note(index, before, str(address.socket), str(address.log), head, str(marker))
        note.write(str(folder.base), wanted.model, os.environ)


def _headers(wanted: Wanted, source: ModelSource, default: float | None) -> dict[str, str]:
    from smolctl.runner.expectation import MODEL_ID_HEADER, expected, worker_headers

    keep_alive = default if wanted.keep_alive is None else wanted.keep_alive
    headers = worker_headers(expected(wanted.options, wanted.named), keep_alive)
    return {MODEL_ID_HEADER: source.id, **headers}


def _start(
    invocation: Invocation, wanted: Wanted, source: ModelSource, log: Path, tokens: int
) -> Start:
    from smolctl.runner.obtain import obtain_worker
    from smolctl.runner.remote_chat import Start

    output = invocation.output
    before = time.time()
    with _shown(output, log) if output.debug else nullcontext():
        worker = obtain_worker(
            source,
            wanted.options,
            named=wanted.named,
            tokens=tokens,
            settings=invocation.settings,
            keep_alive=wanted.keep_alive,
            tell=output.notice,
            on_long=(lambda: output.notice(f"Loading {source.name} …"))
            if output.stderr_is_terminal
            else None,
            debug=output.debug,
        )
    loaded = worker.loaded_at >= before
    trained = None
    if loaded and wanted.options.context_size is not None:
        from smolctl.runner.runnable import Runnable

        trained = Runnable.read(source).header.context_length
    _tell_context(output, wanted.options, worker.context_size, worker.full_context, trained)
    waited = time.time() - before if loaded else None
    return Start(worker.context_size, worker.sequences, waited)


@contextmanager
def _shown(output: Output, log: Path) -> Iterator[None]:
    """Show what the block adds to the worker's `log`: llama.cpp writes there."""
    from smolctl.runner.worker_log import lines_after

    _, size = lines_after(log, 0)
    try:
        yield
    finally:
        for line in lines_after(log, size)[0]:
            output.notice(line)


def _behind(host: str, invocation: Invocation, wanted: Wanted) -> ChatModel:
    """Return the model that the gateway at `host` has."""
    from smolctl.cli.source import looks_like_a_file
    from smolctl.runner.connection import Endpoint
    from smolctl.runner.expectation import KEEP_ALIVE_HEADER
    from smolctl.runner.remote_chat import RemoteChat

    if looks_like_a_file(wanted.model):
        raise UsageError(
            f"{wanted.model} is a file of this machine, and SMOLCTL_HOST names a server",
            hint="--local runs it here; so does an empty SMOLCTL_HOST.",
        )
    if wanted.named:
        raise UsageError(
            "with SMOLCTL_HOST, how the model is loaded is the server's to say",
            hint="Leave the flag out, or run the model here with --local.",
        )
    headers = {}
    if invocation.settings.api_key is not None:
        headers["Authorization"] = f"Bearer {invocation.settings.api_key}"
    if wanted.keep_alive is not None:
        headers[KEEP_ALIVE_HEADER] = f"{wanted.keep_alive:g}"
    return RemoteChat(wanted.model, Endpoint.parse(host), headers)


@contextmanager
def _local(invocation: Invocation, wanted: Wanted) -> Iterator[ChatModel]:
    """Load the model into this process."""
    from smolctl.cli.source import find_source
    from smolctl.runner.chat_model import LocalChat
    from smolctl.runner.loaded import LoadedModel
    from smolctl.runner.runnable import Runnable

    output = invocation.output
    runnable = Runnable.read(find_source(invocation, wanted.model, wanted.pull))
    options = runnable.fit(wanted.options)
    trained = runnable.header.context_length
    _tell_context(output, wanted.options, options.context_size, runnable.full_context, trained)
    before = time.monotonic()
    loaded = LoadedModel.open(runnable, options, debug=output.debug, on_abort=on_abort(output))
    with loaded.engine:
        yield LocalChat(loaded, time.monotonic() - before)


def _tell_context(
    output: Output, asked: EngineOptions, got: int | None, full: int | None, trained: int | None
) -> None:
    if asked.context_size is not None and got and trained and got > trained:
        output.notice(
            f"The model was made for a context of {trained} tokens: beyond them, expect nonsense."
        )
    if asked.context_size is None and got != full and full is not None:
        output.notice(f"The context is {got} tokens: the model's {full} do not fit in memory.")
