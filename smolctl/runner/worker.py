"""The process that has one model loaded, and serves it on a Unix socket.

`start.py` starts it. The weights are on their way into memory while Python still imports; one
thread loads the model while another imports what serves it.
"""

from __future__ import annotations

import os
import signal
import time
from threading import Thread
from typing import TYPE_CHECKING, NoReturn

from smolctl import __version__
from smolctl.errors import NotRunnable, SmolctlError
from smolctl.runner import handshake
from smolctl.runner.specification import WorkerSpecification
from smolctl.runner.worker_log import log, log_beginning, log_crash
from smolctl.store.storage import locked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from smolctl.runner.loaded import LoadedModel

_MAXIMUM_SPECIFICATION = 64 * 1024 * 1024


def main() -> NoReturn:
    """Be a worker until it is time to leave."""
    _detach()
    specification = WorkerSpecification.parse(_standard_input())
    read_ahead = Thread(target=_read_ahead, args=(specification.source.weights,), daemon=True)
    read_ahead.start()
    log_beginning(f"smolctl {__version__}, pid {os.getpid()}: loading {specification.source.name}")
    loading = _Loading(specification)
    loading.start()
    # These imports take as long as a small model takes to load.
    from smolctl.runner.serving import serve

    try:
        serve(loading.result(), specification)
    except SmolctlError as error:
        log(f"{error.message}. {error.hint or ''}")
        handshake.report_failure(error)
        os._exit(error.exit_code)
    os._exit(0)


class _Loading(Thread):
    """The thread that loads the model."""

    def __init__(self, specification: WorkerSpecification) -> None:
        super().__init__(name="loading", daemon=True)
        self._specification = specification
        self._loaded: LoadedModel | None = None
        self._error: SmolctlError | None = None

    def run(self) -> None:
        try:
            self._loaded = _load(self._specification)
        except SmolctlError as error:
            self._error = error

    def result(self) -> LoadedModel:
        """Wait for the model. Raises the error that it could not be loaded for."""
        self.join()
        if self._error is not None:
            raise self._error
        if self._loaded is None:  # a bug, whose traceback is in the log
            raise NotRunnable("loading the model failed")
        return self._loaded


def _load(specification: WorkerSpecification) -> LoadedModel:
    from smolctl.engine.loading import check_gpu
    from smolctl.runner.eviction import evict_one, fit_with_room, idle_memory
    from smolctl.runner.loaded import LoadedModel
    from smolctl.runner.runnable import Runnable

    began = time.perf_counter()
    runnable = Runnable.read(specification.source)
    check_gpu(specification.options)  # before anybody leaves for this model
    folder = specification.folder
    # Two that load at once would both take the same memory for free.
    with locked(folder.memory_lock):
        options = fit_with_room(
            runnable,
            specification.options,
            lambda: evict_one(folder, log),
            lambda: idle_memory(folder),
            specification.wanted_context,
        )
        loaded = LoadedModel.open(runnable, options, debug=specification.debug, on_abort=_crashed)
    caches = 1 if options.shared_cache else options.sequences
    log(
        f"loaded in {time.perf_counter() - began:.2f} s: {options.sequences} sequences,"
        f" {caches} x {loaded.engine.context_size} tokens of context"
    )
    return loaded


def _crashed(reason: str) -> NoReturn:
    log_crash(reason)
    handshake.report_crash(reason)
    os._exit(NotRunnable.exit_code)


def _detach() -> None:
    """Let go of everything of whoever started us, but for what the handshake needs."""
    os.chdir("/")
    os.umask(0o077)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # A shell's `9>lock` would stay locked for as long as we live.
    os.closerange(handshake.LOCK + 1, _highest_descriptor() + 1)


def _highest_descriptor() -> int:
    try:
        return max(map(int, os.listdir("/dev/fd")))  # noqa: PTH208 - numbers, no paths
    except (OSError, ValueError):
        return os.sysconf("SC_OPEN_MAX")


def _standard_input() -> bytes:
    document = handshake.read_all(handshake.SPECIFICATION, _MAXIMUM_SPECIFICATION)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, handshake.SPECIFICATION)
    os.close(nothing)
    return document


def _read_ahead(weights: Sequence[Path]) -> None:
    """Have the kernel read the weights; it goes on by itself."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in weights:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # loading says what is wrong
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(handle)
