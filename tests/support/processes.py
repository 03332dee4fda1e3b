"""The installed `smolctl`, run as a person would: another process, another home."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolctl.runner.connection import Endpoint
from smolctl.settings import Settings
from tests.support.forked import ForkedProcess, is_forkable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Finished:
    """What a command left: its exit code and both streams, apart."""

    code: int
    stdout: str
    stderr: str

    @property
    def stderr_lines(self) -> list[str]:
        return self.stderr.splitlines()


class Smolctl:
    """The command, with a cache, a home and a Docker configuration that nothing else uses.

    Its workers are its own as well, and end with `close`.

    Called, it runs to its end. `environment` can be changed between calls.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.home = folder / "models"
        self.user_home = folder / "home"
        self.docker_config = self.user_home / ".docker"
        self.docker_config.mkdir(parents=True)
        # The path of a socket must be short, which those of tests are not.
        self.runtime = Path(tempfile.mkdtemp(prefix="smolctl-"))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.user_home),
            "SMOLCTL_HOME": str(self.home),
            "DOCKER_CONFIG": str(self.docker_config),
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(self.user_home / "configuration"),
            "XDG_STATE_HOME": str(self.user_home / "state"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            **environment,
        }
        self.configure("retries = 0")
        self._started: list[subprocess.Popen[bytes] | ForkedProcess] = []

    def __call__(
        self,
        *arguments: str | Path,
        stdin: str | None = None,
        expect: int | None = None,
        anew: bool = False,
    ) -> Finished:
        """Run a command. With `expect`, the test fails for any other exit code."""
        pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.start(*arguments, stdin=pipe, anew=anew)
        given = None if stdin is None else stdin.encode()
        stdout, stderr = process.communicate(given, timeout=_LIMIT_SECONDS)
        assert process.returncode is not None
        finished = Finished(process.returncode, stdout.decode(), stderr.decode())
        if expect is not None:
            assert finished.code == expect, finished
        return finished

    def start(
        self,
        *arguments: str | Path,
        prepare: Callable[[], None] | None = None,
        terminal: bool = False,
        anew: bool = False,
        **popen: Any,
    ) -> subprocess.Popen[bytes] | ForkedProcess:
        """Start a command, its signals as a terminal would leave them.

        It is forked where that is the same (`forked.py`), unless it is to start `anew`. `prepare`
        is called in a new process before the command begins. With `terminal` standard input
        becomes its session's own: Ctrl-C typed there is a SIGINT then.
        """
        given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {**given, **popen}
        words = [*map(str, arguments)]
        process: subprocess.Popen[bytes] | ForkedProcess
        plain = not anew and prepare is None and "pass_fds" not in popen
        if plain and is_forkable(words, self.environment):
            process = ForkedProcess(words, self.environment, terminal=terminal, **options)
        else:

            def begin() -> None:
                _default_signals()
                if terminal:
                    fcntl.ioctl(0, termios.TIOCSCTTY)
                if prepare is not None:
                    prepare()

            line = [sys.executable, "-m", "smolctl", *words]
            process = subprocess.Popen(line, env=self.environment, preexec_fn=begin, **options)
        self._started.append(process)
        return process

    def close(self) -> None:
        """End whatever was started and has not ended: a test that failed leaves nothing behind."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for pid in self.worker_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # A worker that is still loading finds no folder for its socket, and ends.
        shutil.rmtree(self.runtime, ignore_errors=True)

    @property
    def settings(self) -> Settings:
        """The settings that the command has."""
        return Settings.from_environment(self.environment)

    def worker_pids(self) -> list[int]:
        """The processes behind the sockets of all caches, also those that do not answer."""
        sockets = self.runtime.glob("smolctl/*/*.sock")
        pids = [Endpoint(socket).peer() for socket in sockets]
        return [pid for pid in pids if pid is not None]

    def on_a_terminal(
        self,
        *arguments: str | Path,
        dialogue: Sequence[tuple[bytes, bytes | signal.Signals]] = (),
        columns: int = 0,
    ) -> tuple[int, bytes]:
        """Run with all three streams on one terminal; gives the exit code and what was drawn.

        Each line of the dialogue is what to wait for on the screen (a regular expression), and
        what to type then, or the signal to send. The terminal must be left as it was. It does not
        tell how wide it is, unless it has `columns`.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 0, columns, 0, 0))
        modes = termios.tcgetattr(ours)
        try:
            process = self.start(
                *arguments,
                terminal=True,
                start_new_session=True,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
            )
        finally:
            os.close(theirs)
        try:
            drawn = b""
            for awaited, typed in dialogue:
                drawn += _read_until(ours, awaited)
                if isinstance(typed, signal.Signals):
                    process.send_signal(typed)
                else:
                    os.write(ours, typed)
            drawn += _read_until(ours, None)
            assert termios.tcgetattr(ours) == modes
            return process.wait(_LIMIT_SECONDS), drawn
        finally:
            os.close(ours)

    def configure(self, text: str) -> None:
        """Write `config.toml` where it is looked for without SMOLCTL_CONFIG.

        At first it says that nothing is tried again: most failures here are there to stay.
        """
        folder = self.user_home / "configuration" / "smolctl"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text)

    def log_in(self, registry: str, username: str, password: str) -> None:
        """Write what `docker login` writes."""
        auth = base64.b64encode(f"{username}:{password}".encode()).decode()
        document = {"auths": {registry: {"auth": auth}}}
        (self.docker_config / "config.json").write_text(json.dumps(document))


def _default_signals() -> None:
    # A runner in the background has its children ignore SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _read_until(terminal: int, awaited: bytes | None) -> bytes:
    """Read what is drawn until it matches `awaited`; with None, until the other side closes."""
    drawn = b""
    while awaited is None or not re.search(awaited, drawn, re.DOTALL):
        ready, _, _ = select.select([terminal], [], [], _LIMIT_SECONDS)
        assert ready, f"nothing came for {_LIMIT_SECONDS} s after {drawn!r}"
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux's end of file when the other side is closed
            piece = b""
        if not piece:
            assert awaited is None, f"it ended, and drew no {awaited!r}: {drawn!r}"
            break
        drawn += piece
    return drawn
