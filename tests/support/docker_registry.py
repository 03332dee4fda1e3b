"""Debian's `docker-registry`, started on a free loopback port for a test."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_SECONDS = 20.0
_ATTEMPTS = 5


def require(*programs: str) -> None:
    """Skip the test where one of `programs` is missing; fail it where they must be there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"not installed: {', '.join(missing)}"
    if os.environ.get("SMOLCTL_REQUIRE_INTEROP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def docker_registry(
    folder: Path, accounts: dict[str, str] | None = None, *, mirrors: str | None = None
) -> Iterator[str]:
    """Run the registry while the block runs; gives it as `host:port`.

    With `accounts` it wants one of them by the Basic scheme. `mirrors` is the URL of a registry
    that it is a pull-through cache of.
    """
    folder.mkdir(parents=True)
    for _ in range(_ATTEMPTS):
        host = f"127.0.0.1:{_free_port()}"
        process = _start(folder, host, accounts, mirrors)
        try:
            # Between finding the port and taking it, somebody else may have had it.
            if _answers(process, host):
                yield host
                return
        finally:
            process.terminate()
            process.wait()
    pytest.fail(f"docker-registry does not start: {(folder / 'log').read_text()}")


def _start(
    folder: Path, host: str, accounts: dict[str, str] | None, mirrors: str | None
) -> subprocess.Popen[bytes]:
    config = [
        "version: 0.1",
        "log: {level: error}",
        f"storage: {{filesystem: {{rootdirectory: '{folder}/data'}}}}",
        f"http: {{addr: '{host}'}}",
    ]
    if accounts is not None:
        lines = [_htpasswd(*account) for account in accounts.items()]
        (folder / "htpasswd").write_text("\n".join(lines))
        config.append(f"auth: {{htpasswd: {{realm: test, path: '{folder}/htpasswd'}}}}")
    if mirrors is not None:
        config.append(f"proxy: {{remoteurl: '{mirrors}'}}")
    (folder / "config.yml").write_text("\n".join(config))
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )


def _htpasswd(username: str, password: str) -> str:
    made = subprocess.run(
        ["htpasswd", "-nbB", "-C", "5", username, password], capture_output=True, check=True
    )
    return made.stdout.decode().strip()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], host: str) -> bool:
    """Wait until the registry answers; False when it ended instead.

    It has no way of telling that it listens, so it is asked again and again.
    """
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401) and process.poll() is None
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    return False
