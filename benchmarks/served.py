"""`smolctl serve` and its workers, as the benchmarks run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.llama_tools import Server, free_port, wait_healthy
from benchmarks.published import REPOSITORY, TAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODEL = f"{REPOSITORY}:{TAG}"


@dataclass(frozen=True)
class Smolctl:
    """The command, with the cache at `home`, and folders of its own in `folder`."""

    home: Path
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment in which its workers meet nobody else's."""
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            **os.environ,
            "SMOLCTL_HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }

    def command(self, *arguments: str) -> tuple[str, ...]:
        """Return the command line of `smolctl` with `arguments`."""
        return (str(Path(sys.executable).with_name("smolctl")), *arguments)

    def __call__(self, *arguments: str) -> str:
        """Run it and return its output. Raises `subprocess.CalledProcessError` when it fails."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return done.stdout

    def unload(self) -> None:
        """Have all workers leave."""
        self("model", "unload", "--all")

    def worker(self) -> int:
        """Return the process of the one worker."""
        (only,) = json.loads(self("model", "ps", "--json"))
        return int(only["pid"])

    @contextmanager
    def serving(self, *options: str) -> Iterator[Server]:
        """Run `smolctl serve`, and a worker for the model, while the block runs."""
        port = free_port()
        command = self.command("serve", "--port", str(port), *options)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self("model", "run", "--detach", *options, MODEL)
        with subprocess.Popen(command, env=self.environment, **quiet) as process:
            try:
                wait_healthy(port)
                yield Server(port, self.worker())
            finally:
                process.terminate()
                self.unload()
