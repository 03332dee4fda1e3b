"""llama.cpp's own tools, as `make bench-peers` builds them."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent.parent / ".peers" / "build" / "bin"
_START_SECONDS = 60.0
MISSING = "llama.cpp's tools are not built: `make bench-peers`"


@dataclass(frozen=True)
class Server:
    """A server of the OpenAI API: where it is, and the process that has the model."""

    port: int
    process: int

    @property
    def peak_memory(self) -> int:
        """The most memory that the process had so far, in bytes (`VmHWM`)."""
        status = Path(f"/proc/{self.process}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024


def tool(name: str) -> str | None:
    """Return the path of `name`, such as `llama-cli`; None when it is not built."""
    path = _FOLDER / name
    return str(path) if path.exists() else None


@contextmanager
def llama_server(weights: Path, *options: str) -> Iterator[Server]:
    """Run `llama-server` while the block runs. Raises `RuntimeError` when it does not start."""
    port = free_port()
    program = tool("llama-server")
    if program is None:
        raise RuntimeError(MISSING)
    command = (program, "-m", str(weights), "--port", str(port), *options)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, **quiet) as process:
        try:
            wait_healthy(port)
            yield Server(port, process.pid)
        finally:
            process.kill()


def wait_healthy(port: int) -> None:
    """Wait until the server on `port` answers `/health`. Raises `RuntimeError` when it does not."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers on port {port}")


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
