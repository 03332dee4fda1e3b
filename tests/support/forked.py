"""Commands that `fork_server.py` forks, for those who would start them with `subprocess.Popen`."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.support.fork_server import MAXIMUM_REQUEST, PID, STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = Path(__file__).parents[2]
_START = {"LANG": "C.UTF-8"}
_READ_AT_THE_START = ("PYTHON", "LC_", "LD_", "GLIBC_", "OMP_", "GOMP_")
"""How variables begin that Python, or a library, reads once, when a process begins."""


def is_forkable(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a command that is forked is the same as one that starts anew."""
    if any(name.startswith(_READ_AT_THE_START) for name in environment):
        return False
    if environment.get("LANG") != _START["LANG"]:
        return False
    return sum(map(len, (*arguments, *environment.values()))) < MAXIMUM_REQUEST // 8


class ForkedProcess:
    """A command that runs. What has a name of `subprocess.Popen`'s does what it does there.

    `terminal` makes standard input the controlling terminal of its session.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        start_new_session: bool = False,
        terminal: bool = False,
    ) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        self.stdin, standard_input = _reading_end(stdin)
        self.stdout, standard_output = _writing_end(stdout, None)
        self.stderr, standard_error = _writing_end(stderr, standard_output)
        self._report, report = os.pipe()
        request = {
            "arguments": self.args,
            "environment": dict(environment),
            "folder": str(Path.cwd()),
            "session": start_new_session,
            "terminal": terminal,
        }
        theirs = [standard_input, standard_output, standard_error, report]
        socket.send_fds(_server(), [json.dumps(request).encode()], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        (self.pid,) = PID.unpack(os.read(self._report, PID.size))

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(
        self,
        input: bytes | None = None,  # noqa: A002 - its name there
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]:
        end = None if timeout is None else time.monotonic() + timeout
        left = memoryview(input or b"")
        read: dict[IO[bytes], bytearray] = {}
        with selectors.DefaultSelector() as selector:
            if self.stdin is not None:
                os.set_blocking(self.stdin.fileno(), False)
                selector.register(self.stdin, selectors.EVENT_WRITE)
            for stream in (self.stdout, self.stderr):
                if stream is not None and not stream.closed:
                    read[stream] = bytearray()
                    selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(self._left(end, timeout)):
                    stream = key.fileobj
                    assert not isinstance(stream, int)
                    if stream is self.stdin:
                        left = _write_some(stream, left)
                        ended = not left
                    else:
                        piece = os.read(stream.fileno(), 65_536)
                        read[stream] += piece
                        ended = not piece
                    if ended:
                        selector.unregister(stream)
                        stream.close()
                self._left(end, timeout)
        self.wait(None if end is None else max(0, end - time.monotonic()))
        out, err = (bytes(read.get(stream, b"")) for stream in (self.stdout, self.stderr))
        return out, err

    def _left(self, end: float | None, timeout: float | None) -> float | None:
        if end is None:
            return None
        left = end - time.monotonic()
        if left < 0:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return left

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._report, selectors.EVENT_READ)
                if not selector.select(timeout):
                    return None
            (self.returncode,) = STATUS.unpack(os.read(self._report, STATUS.size))
            os.close(self._report)
        return self.returncode


def _reading_end(given: int | IO[bytes]) -> tuple[IO[bytes] | None, int]:
    if given == subprocess.PIPE:
        theirs, ours = os.pipe()
        return os.fdopen(ours, "wb", buffering=0), theirs
    return None, _given(given, os.O_RDONLY)


def _writing_end(given: int | IO[bytes], output: int | None) -> tuple[IO[bytes] | None, int]:
    if given == subprocess.PIPE:
        ours, theirs = os.pipe()
        return os.fdopen(ours, "rb"), theirs
    if given == subprocess.STDOUT and output is not None:
        return None, os.dup(output)
    return None, _given(given, os.O_WRONLY)


def _given(given: int | IO[bytes], flag: int) -> int:
    if given == subprocess.DEVNULL:
        return os.open(os.devnull, flag)
    return os.dup(given if isinstance(given, int) else given.fileno())


def _write_some(stream: IO[bytes], left: memoryview) -> memoryview:
    try:
        return left[os.write(stream.fileno(), left) :] if left else left
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return memoryview(b"")


@cache
def _server() -> socket.socket:
    """Start the server of this process: it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"], **_START},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
