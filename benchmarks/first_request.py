"""How long `run` takes until a worker has its request: a worker that only notes when it came."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import goals
from smolctl.demo.artifact import publish
from smolctl.runner.address import WorkerFolder
from smolctl.settings import Settings
from smolctl.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MODEL = "demo/smolctl-demo"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    b'data: {"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":null}]}\n\n'
    b"data: [DONE]\n\n"
)


def run(folder: Path, smolctl: str, *, rounds: int) -> None:
    """Time a one-shot the short way and the usual way, in turns with a bare Python."""
    # The path of a socket must be short.
    with TemporaryDirectory(prefix="smolctl-") as runtime:
        environment = {
            **os.environ,
            "SMOLCTL_HOME": str(folder / "models"),
            "XDG_RUNTIME_DIR": runtime,
            "XDG_STATE_HOME": str(folder / "state"),
        }
        store = Store(folder / "models")
        publish(store)
        addresses = WorkerFolder.of(Settings.from_environment(environment))
        addresses.make()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(addresses.address(str(store.get(_MODEL).id)).socket))
            listener.listen()
            _compare(listener, smolctl, environment, rounds)


def _compare(
    listener: socket.socket, smolctl: str, environment: Mapping[str, str], rounds: int
) -> None:
    plain = (smolctl, "model", "run", _MODEL, "hello")
    usual = (*plain, "--json")  # a flag that the short way leaves to the usual one
    runs: dict[str, list[float]] = {"the short way": [], "the usual way": []}
    bare: list[float] = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run((sys.executable, "-c", "pass"), check=True)
        passed = time.perf_counter() - began
        taken = [_until_asked(listener, command, environment) for command in (plain, usual)]
        if number:  # the first leaves the note that the short way needs
            bare.append(passed)
            for name, seconds in zip(runs, taken, strict=True):
                runs[name].append(seconds)
    unit = statistics.median(bare)
    print(f"\nmodel run, until a warm worker has its request (median of {rounds}, in turns)")
    print(f"  {'python -c pass':<34} {unit * 1000:8.0f} ms")
    for name, seconds in runs.items():
        median = statistics.median(seconds)
        print(f"  {name:<34} {median * 1000:8.0f} ms  {median / unit:6.2f} x python -c pass")
    goals.REQUEST.judge(statistics.median(runs["the usual way"]) / unit)


def _until_asked(
    listener: socket.socket, command: Sequence[str], environment: Mapping[str, str]
) -> float:
    """Return the seconds from the start of `command` until its request is here."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            seconds = time.perf_counter() - began
            connection.sendall(_ANSWER)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds
