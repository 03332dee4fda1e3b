"""Pulls of a model of the real size on loopback, against what else moves blobs.

The model is a GGUF with the geometry of SmolLM2-360M in F16, 725 MB, its weights random. It comes
from Debian's docker-registry where speed is compared, and from a server that holds every
connection to a rate and counts what it sends where the question is what is moved.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import goals, interruption
from benchmarks.published import REPOSITORY, TAG, Published
from benchmarks.puller import Puller, discard
from benchmarks.throttle import throttled
from benchmarks.timing import Contender, race
from tests.support.docker_registry import docker_registry
from tests.support.random_model import SMOLLM2_360M, Geometry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.timing import Measured

_ROUNDS = 5
_RATE = 20_000_000
"""Bytes a second of each connection to the slow server."""

_SMOLCTL = "smolctl model pull"
_SKOPEO = "skopeo copy docker: dir:"
_CURL = "curl alone, nothing checked"
_CHECKED_CURL = "curl && openssl dgst"
_ORAS = """
import sys, oras.provider
host, repository, digest, file = sys.argv[1:]
registry = oras.provider.Registry(host, insecure=True)
registry.download_blob(f"{host}/{repository}", digest, file)
"""


def run(folder: Path, geometry: Geometry = SMOLLM2_360M) -> None:
    """Measure pulls of a model of `geometry`; the goals are for the real size.

    `folder` comes to hold five times the model.
    """
    published = Published.make(folder / "published", geometry)
    print(f"\nThe model: {published.weights.size / 1e6:.0f} MB in one layer")
    _against_peers(folder, published)
    with throttled(published, _RATE) as server:
        puller = Puller(folder / "home", server.host)
        _slow_connections(folder, published, puller)
        interruption.kill_at_half(published, server, puller)
        interruption.share_weights(published, server, puller)
        interruption.kill_often(published, server, puller)


def _against_peers(folder: Path, published: Published) -> None:
    if shutil.which("docker-registry") is None:
        print("\nA verified pull: skipped, not installed: docker-registry")
        return
    with docker_registry(folder / "registry") as host:
        published.upload(host)
        puller = Puller(folder / "home", host)
        target, file = folder / "skopeo", folder / "file"
        digest, environment = str(published.weights.digest), puller.environment
        curl = _curl(puller, published, file)
        skopeo = ("skopeo", "copy", "--quiet", "--src-tls-verify=false")
        oras = (sys.executable, "-c", _ORAS, host, REPOSITORY, digest, str(file))
        check = f"curl -sSf -o '{file}' '{curl.command[-1]}' && openssl dgst -sha256 '{file}'"
        results = race(
            "A verified pull from docker-registry",
            [
                Contender(_SMOLCTL, puller.command(), environment, puller.clear),
                Contender(
                    _SKOPEO,
                    (*skopeo, f"docker://{puller.name(TAG)}", f"dir:{target}"),
                    environment,
                    partial(discard, target),
                    ("skopeo",),
                ),
                Contender(
                    _CHECKED_CURL,
                    ("sh", "-c", check),
                    environment,
                    partial(discard, file),
                    ("curl", "openssl"),
                ),
                # What smolctl does besides: the file is on the disk when it ends.
                Contender(
                    f"{_CHECKED_CURL} && sync",
                    ("sh", "-c", f"{check} && sync '{file}'"),
                    environment,
                    partial(discard, file),
                    ("curl", "openssl", "sync"),
                ),
                curl,
                Contender(
                    "oras-py download_blob, unchecked", oras, environment, partial(discard, file)
                ),
            ],
            rounds=_ROUNDS,
        )
        puller.check(published.weights)
        _judge(goals.AGAINST_SKOPEO, results, _SMOLCTL, _SKOPEO)
        _judge(goals.AGAINST_CURL, results, _SMOLCTL, _CHECKED_CURL)
        _judge_memory(results)
        for path in (target, file):
            discard(path)
        puller.clear()
    shutil.rmtree(folder / "registry")


def _slow_connections(folder: Path, published: Published, puller: Puller) -> None:
    file = folder / "file"
    results = race(
        f"Every connection held to {_RATE // 1_000_000} MB/s",
        [
            Contender(_SMOLCTL, puller.command(), puller.environment, puller.clear),
            _curl(puller, published, file),
        ],
        rounds=1,
        warm_up=False,
        moved=published.weights.size,
    )
    discard(file)
    puller.check(published.weights)
    _judge(goals.THROTTLED, results, _CURL, _SMOLCTL)
    _judge_memory(results)


def _curl(puller: Puller, published: Published, file: Path) -> Contender:
    url = f"http://{puller.host}/v2/{REPOSITORY}/blobs/{published.weights.digest}"
    command = ("curl", "-sSf", "-o", str(file), url)
    return Contender(_CURL, command, puller.environment, partial(discard, file), ("curl",))


def _judge(goal: goals.Goal, results: Mapping[str, Measured], over: str, under: str) -> None:
    """Judge the ratio of two times; a peer that was skipped is in no results."""
    for name in (over, under):
        if name not in results:
            goal.judge(None, missing=f"{name} was skipped")
            return
    goal.judge(results[over].seconds / results[under].seconds)


def _judge_memory(results: Mapping[str, Measured]) -> None:
    goals.MEMORY.judge(results[_SMOLCTL].memory / 1e6)
