"""A verified pull of one large blob from Debian's docker-registry on loopback, against peers.

The blob is random bytes of the size of SmolLM2-360M's F16 file; what it says does not matter to
a transfer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.timing import Contender, race
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.layer import GGUF_LAYER
from smolctl.model.manifest import Manifest
from smolctl.model.reference import Reference
from smolctl.store.store import Store
from tests.support.docker_registry import docker_registry

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 725_000_000
"""Bytes: SmolLM2-360M in F16."""

_CHUNK = 1_000_000
_NAME = "ai/random:latest"


def run(folder: Path) -> None:
    """Time `smolctl model pull`, `skopeo copy`, and `curl` with a digest check after it."""
    missing = [tool for tool in ("docker-registry", "skopeo", "curl") if not shutil.which(tool)]
    if missing:
        print(f"\nPull: skipped, not installed: {', '.join(missing)}")
        return
    published = Store(folder / "published")
    digest = _publish(published)
    with docker_registry(folder / "registry") as host:
        copy = ("skopeo", "copy", "--quiet", "--dest-tls-verify=false")
        source = f"oci:{published.root}:{_NAME}"
        subprocess.run((*copy, source, f"docker://{host}/{_NAME}"), check=True)
        shutil.rmtree(published.root)
        home, target, file = folder / "home", folder / "skopeo", folder / "curl.bin"
        url = f"http://{host}/v2/ai/random/blobs/{digest}"
        check = f"curl -sS -o '{file}' '{url}' && openssl dgst -sha256 '{file}'"
        race(
            f"A verified pull of {SIZE // 1_000_000} MB",
            [
                Contender(
                    "smolctl model pull",
                    (sys.executable, "-m", "smolctl", "model", "pull", "-q", f"{host}/{_NAME}"),
                    {**os.environ, "SMOLCTL_HOME": str(home)},
                    partial(shutil.rmtree, home, ignore_errors=True),
                ),
                Contender(
                    "skopeo copy docker: dir:",
                    ("skopeo", "copy", "--quiet", "--src-tls-verify=false",
                     f"docker://{host}/{_NAME}", f"dir:{target}"),
                    None,
                    partial(shutil.rmtree, target, ignore_errors=True),
                ),
                Contender("curl && openssl dgst", ("sh", "-c", check)),
                Contender("curl alone, nothing checked", ("curl", "-sS", "-o", str(file), url)),
            ],
            rounds=3,
        )  # fmt: skip


def _publish(store: Store) -> Digest:
    """Put a model with one layer of random bytes into `store`; returns the layer's digest."""
    store.prepare()
    file = store.root.with_name("weights")
    hasher = Digest("sha256", "0" * 64).hasher()
    with file.open("wb") as weights:
        for _ in range(SIZE // _CHUNK):
            chunk = os.urandom(_CHUNK)
            hasher.update(chunk)
            weights.write(chunk)
    layer = Descriptor(GGUF_LAYER, Digest("sha256", hasher.hexdigest()), SIZE)
    with file.open("rb") as weights:
        store.blobs.write(layer, lambda: iter(lambda: weights.read(_CHUNK), b""))
    file.unlink()
    config = ModelConfig(ConfigSchema.DOCKER_V01, format="gguf").to_bytes()
    described = Descriptor.of(config, ConfigSchema.DOCKER_V01.value)
    store.blobs.write_bytes(described, config)
    store.commit(Manifest(described, (layer,)).to_bytes(), Reference.parse(_NAME))
    return layer.digest
