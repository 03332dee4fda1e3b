"""`smolctl model pull` as the benchmarks run it: a process of its own with a cache of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.published import REPOSITORY, TAG, sha256
from smolctl.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from smolctl.model.descriptor import Descriptor


@dataclass(frozen=True)
class Puller:
    """Pulls into the cache at `home` from the registry at `host`."""

    home: Path
    host: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of the command; every contender gets the same, proxies left out."""
        own = {name: value for name, value in os.environ.items() if not _is_proxy(name)}
        nobody = str(self.home.with_name("no-docker-config"))
        return {**own, "SMOLCTL_HOME": str(self.home), "DOCKER_CONFIG": nobody}

    def command(self, tag: str = TAG) -> tuple[str, ...]:
        """Return the command that pulls `tag`."""
        return _smolctl("pull", "-q", self.name(tag))

    def name(self, tag: str = TAG) -> str:
        """Return the whole name of `tag`."""
        return f"{self.host}/{REPOSITORY}:{tag}"

    def start(self) -> subprocess.Popen[bytes]:
        """Start a pull, which somebody is going to kill."""
        return subprocess.Popen(
            self.command(),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def pull(self, tag: str = TAG) -> None:
        """Pull `tag`. Raises `subprocess.CalledProcessError` when that fails."""
        self._run(self.command(tag))

    def remove(self, tag: str = TAG) -> None:
        """Remove the model of `tag`."""
        self._run(_smolctl("rm", "-q", self.name(tag)))

    def holds(self, weights: Descriptor) -> bool:
        """Whether the cache has these weights, read again here rather than taken on trust."""
        file = Store(self.home).blobs.path(weights.digest)
        return file.exists() and sha256(file) == weights.digest.hex

    def check(self, weights: Descriptor) -> None:
        """Raise `RuntimeError` when a pull said that all is well and these bytes are not here."""
        if not self.holds(weights):
            raise RuntimeError("the pull ended well, and its weights have another digest")

    def leftovers(self) -> list[str]:
        """Return the files of the cache that hold, or held, parts of models."""
        folders = [self.home / name for name in ("blobs", "partial", "unpacked")]
        return [
            str(file.relative_to(self.home))
            for folder in folders
            for file in folder.rglob("*")
            if not file.is_dir()
        ]

    def clear(self) -> None:
        """Delete the cache."""
        discard(self.home)

    def _run(self, command: tuple[str, ...]) -> None:
        subprocess.run(command, env=self.environment, stdout=subprocess.DEVNULL, check=True)


def discard(path: Path) -> None:
    """Delete a result, and wait until the disk is idle: no contender pays for another's pages."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    os.sync()


def _smolctl(verb: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "smolctl", "model", verb, *arguments)


def _is_proxy(name: str) -> bool:
    return name.lower().endswith("_proxy")
