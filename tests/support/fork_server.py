"""A process that has imported what commands import, and forks itself for each that is to be run.

Three quarters of a command's time are Python's start and imports, and tests run hundreds. A child
of this process is one where they are done: it has its own environment, folder, descriptors and
signals, and ends as Python ends. `forked.py` talks to this. So is the process of a model that
such a child starts, for which llama.cpp has been loaded.

What a child is to be comes as JSON, over a socket, with the descriptors that it gets as its
standard streams and one more: there its process ID is written, and its status when it has ended.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

import smolctl
from smolctl.__main__ import main
from smolctl.runner.worker import main as be_worker

PID = struct.Struct("!I")
STATUS = struct.Struct("!i")
_CANNOT_FLUSH = 120
"""What Python exits with then."""
MAXIMUM_REQUEST = 1024 * 1024

_posix_spawn = os.posix_spawn
_STREAMS_BEFORE: list[Any] = []
"""Kept, because one that nobody has is flushed."""
_IMPORTED_LATER = (
    "concurrent.futures.thread",
    "encodings.idna",
    "getpass",
    "http.client",
    "jinja2.sandbox",
    "markdown_it",
    "prompt_toolkit",
    "pygments.lexers",
    "requests",
    "rich.live",
    "rich.progress",
    "rich.table",
    "sqlite3",
    "tarfile",
)


class FromNowOn:
    """Who the server is when it has forked: the child, with what it is to be."""

    def __init__(self, request: dict[str, Any], descriptors: list[int]) -> None:
        self.request = request
        self.descriptors = descriptors

    def become(self) -> None:
        """Take everything on that a process is started with."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.request["session"]:
            os.setsid()
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
        os.closerange(3, max(self.descriptors) + 1)
        if self.request["terminal"]:
            fcntl.ioctl(0, termios.TIOCSCTTY)
        os.chdir(self.request["folder"])
        os.environ.clear()
        os.environ.update(self.request["environment"])
        time.tzset()
        line = ["-m", "smolctl", *self.request["arguments"]]
        sys.orig_argv = [sys.executable, *line]
        sys.argv = [str(sys.modules["smolctl.__main__"].__file__), *self.request["arguments"]]
        _open_streams()
        os.posix_spawn = _spawn


def _open_streams() -> None:
    _STREAMS_BEFORE.extend((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = sys.__stdin__ = _stream(0, "r", sys.stdin)
    sys.stdout = sys.__stdout__ = _stream(1, "w", sys.stdout)
    sys.stderr = sys.__stderr__ = _stream(2, "w", sys.stderr)


def _stream(number: int, mode: str, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Open a standard stream as Python does when it starts."""
    binary = open(number, f"{mode}b", closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        binary,
        encoding=like.encoding,
        errors=like.errors,
        newline="\n",
        line_buffering=number == 2 or binary.isatty(),
    )


def _spawn(path: str, line: list[str], environment: dict[str, str], **how: Any) -> int:
    """Start what `os.posix_spawn` would: the process of a model is forked as well."""
    # A fork has one thread: what others hold locked would stay locked there.
    if "smolctl.runner.worker" not in line[-1] or threading.active_count() > 1:
        return _posix_spawn(path, line, environment, **how)
    pid = os.fork()
    if pid != 0:
        return pid
    if how["setsid"]:
        os.setsid()
    for action, number, *more in how["file_actions"]:
        if action == os.POSIX_SPAWN_DUP2:
            os.dup2(number, more[0])
        else:
            opened = os.open(*more)
            os.dup2(opened, number)
            os.close(opened)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, how["setsigmask"])
    for ended_by in how["setsigdef"]:
        signal.signal(ended_by, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.unraisablehook = sys.__unraisablehook__
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c"]
    _open_streams()
    gc.enable()
    try:
        be_worker()
    except BaseException:  # noqa: BLE001 - nothing of the command's may go on here
        sys.excepthook(*sys.exc_info())
    os._exit(1)


def _import_everything() -> None:
    for module in pkgutil.walk_packages(smolctl.__path__, "smolctl."):
        importlib.import_module(module.name)
    for name in _IMPORTED_LATER:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or looking for garbage would copy every page


def serve(control: socket.socket) -> FromNowOn | None:
    """Fork for each request; return in every child, and None when nobody asks any more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the tests
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, reading], [], [])
        if reading in ready:
            os.read(reading, 4096)
            _report_the_ended(reports)
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, MAXIMUM_REQUEST, 4)
            if not message:
                return None
            pid = os.fork()
            if pid == 0:
                for mine in (control.detach(), reading, writing, *reports.values()):
                    os.close(mine)
                os.close(descriptors.pop())
                return FromNowOn(json.loads(message), descriptors)
            reports[pid] = descriptors.pop()
            os.write(reports[pid], PID.pack(pid))
            for descriptor in descriptors:
                os.close(descriptor)


def _report_the_ended(reports: dict[int, int]) -> None:
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        report = reports.pop(pid)
        with suppress(BrokenPipeError):  # nobody wants to know
            os.write(report, STATUS.pack(os.waitstatus_to_exitcode(status)))
        os.close(report)


def run_to_the_end() -> NoReturn:
    """Run the command, and end as Python does, without taking every module to pieces first.

    That would copy most of the server's pages, and take longer than the command.
    """
    code: object = 0
    try:
        main()
    except SystemExit as exit_:  # with anything else Python ends by itself
        code = 0 if exit_.code is None else exit_.code
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            code = _CANNOT_FLUSH
    os._exit(code & 0xFF)


if __name__ == "__main__":
    _import_everything()
    child = serve(socket.socket(fileno=int(sys.argv[1])))
    if child is not None:
        child.become()
        run_to_the_end()
