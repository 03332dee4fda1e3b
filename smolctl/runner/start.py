"""Starting a worker: a process of its own session that outlives whoever started it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import smolctl
from smolctl import huge_pages
from smolctl.errors import NotRunnable
from smolctl.runner import handshake
from smolctl.runner.connection import is_readable
from smolctl.runner.worker_log import log_end, rotate
from smolctl.runner.worker_status import Worker
from smolctl.store.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.runner.specification import WorkerSpecification

_PROGRAM = (
    # With -c, Python looks for modules in the current folder first: not in that of our caller.
    "import sys; sys.path[:] = [{root!r}, *filter(None, sys.path)]\n"
    "from smolctl.runner.worker import main; main()"
)
_LONG_SECONDS = 2.0
_WAIT_SECONDS = 0.2


def start_worker(
    specification: WorkerSpecification,
    lock: int,
    *,
    on_long: Callable[[], object] | None = None,
) -> Worker:
    """Start a worker, and return it once it serves.

    `lock` is the descriptor of the model's lock, which goes over to the worker. `on_long` is
    called once when loading takes long enough for a person to wonder. Raises what the worker
    failed with; `NotRunnable`, with the end of its log, when it just died.
    """
    address = specification.address
    rotate(address.log)
    process = _Process.spawn(address.log, lock)
    try:
        process.tell(specification.to_json())
        waited = 0.0
        # Never for long at a time: a signal that comes just before a wait would not end it.
        while not process.has_reported(_WAIT_SECONDS):
            waited += _WAIT_SECONDS
            if on_long is not None and waited >= _LONG_SECONDS:
                on_long()
                on_long = None
        report = handshake.read_report(process.report)
    finally:
        process.close()
    worker = Worker.parse(address.socket, report)
    if worker is None:
        said = log_end(address.log)
        raise NotRunnable(
            f"{specification.source.name}: the model's process ended while it loaded,"
            f" {process.ending()}" + (f": {said}" if said else ""),
            hint=f"Its log is {address.log}",
        )
    return worker


class _Process:
    """A worker's process, as its parent sees it."""

    def __init__(self, pid: int, specification: int, report: int) -> None:
        self.report = report
        self._specification = specification
        self._status = 0
        # Or it would stay a zombie for as long as we live, when we are a server.
        self._reaper = Thread(target=self._reap, args=(pid,), daemon=True)
        self._reaper.start()

    @classmethod
    def spawn(cls, log: Path, lock: int) -> _Process:
        """Start Python with the worker's module.

        By `posix_spawn`, which needs no import; `subprocess` takes 10 ms for that.
        """
        theirs, ours = os.pipe()
        report, reporting = os.pipe()
        # Two of these may have the numbers that others are to get: out of the way first.
        high = [_above_all(handle) for handle in (theirs, reporting, lock)]
        actions = [
            (os.POSIX_SPAWN_DUP2, high[0], handshake.SPECIFICATION),
            (
                os.POSIX_SPAWN_OPEN,
                1,
                os.fspath(log),
                os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW,
                0o600,
            ),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, high[1], handshake.READY),
            (os.POSIX_SPAWN_DUP2, high[2], handshake.LOCK),
        ]
        root = str(Path(smolctl.__file__).parents[1])
        with ExitStack() as undo:
            undo.callback(os.close, ours)
            undo.callback(os.close, report)
            with ExitStack() as theirs_now, storage_errors(log):
                for handle in (theirs, reporting, *high):
                    theirs_now.callback(os.close, handle)
                pid = os.posix_spawn(
                    sys.executable,
                    [sys.executable, "-c", _PROGRAM.format(root=root)],
                    huge_pages.environment(),
                    file_actions=actions,
                    setsid=True,
                    setsigmask=[],
                    setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE],
                )
            undo.pop_all()
        return cls(pid, ours, report)

    def tell(self, specification: bytes) -> None:
        """Send the worker what it is to be."""
        with suppress(BrokenPipeError):  # it has ended: there will be no report
            handshake.write_all(self._specification, specification)
        os.close(self._specification)
        self._specification = -1

    def has_reported(self, seconds: float) -> bool:
        """Wait for the report, and return whether it is here."""
        return is_readable(self.report, seconds)

    def close(self) -> None:
        """Let go of the pipes; the process goes on."""
        os.close(self.report)
        if self._specification >= 0:
            os.close(self._specification)

    def ending(self) -> str:
        """Wait for the end of a process that has closed its report, and return how it ended."""
        self._reaper.join()
        if os.WIFSIGNALED(self._status):
            return f"killed by {signal.Signals(os.WTERMSIG(self._status)).name}"
        return f"with exit code {os.WEXITSTATUS(self._status)}"

    def _reap(self, pid: int) -> None:
        with suppress(ChildProcessError):  # somebody else here waits for all children
            _, self._status = os.waitpid(pid, 0)


def _above_all(handle: int) -> int:
    import fcntl

    return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, handshake.LOCK + 1)
