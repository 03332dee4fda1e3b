"""The model that the benchmarks measure with, and what serves it.

One GGUF of the real size with random weights, under two tags that share it and differ in their
configs. It lies in an OCI image layout and is uploaded from there to Debian's docker-registry.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

from smolctl.engine.quantize import quantize
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.digest import Digest
from smolctl.model.layer import GGUF_LAYER
from smolctl.model.manifest import MANIFEST_TYPE, Manifest
from smolctl.model.reference import Reference
from smolctl.store.store import Store
from tests.support.random_model import Geometry, write_random_model

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "ai/random"
TAG, SECOND_TAG = "latest", "second"
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Published:
    """The layout, the layer with the weights, and the manifests' digests by tag."""

    store: Store
    weights: Descriptor
    tags: dict[str, Digest]

    @classmethod
    def make(cls, root: Path, geometry: Geometry, quantization: str | None = None) -> Published:
        """Write a model of `geometry` into a new layout at `root`; in F16 without a quantization.

        A quantization is one of llama.cpp's names, such as `Q4_K_M`.
        """
        store = Store(root)
        store.prepare()
        file = write_random_model(root / "blobs" / "weights.gguf", geometry)
        if quantization is not None:
            quantized = file.with_name("quantized.gguf")
            quantize(file, quantized, quantization)
            file = quantized.replace(file)
        digest = Digest("sha256", sha256(file))
        weights = Descriptor(GGUF_LAYER, digest, file.stat().st_size)
        file.replace(store.blobs.path(digest))
        contexts = {TAG: geometry.context, SECOND_TAG: geometry.context // 2}
        tags = {tag: _commit(store, weights, tag, context) for tag, context in contexts.items()}
        return cls(store, weights, tags)

    def upload(self, host: str) -> None:
        """Push both tags to the registry at `host`, over plain HTTP."""
        base = f"http://{host}/v2/{REPOSITORY}"
        with requests.Session() as session:
            session.trust_env = False
            for tag, digest in self.tags.items():
                content = self.store.blobs.path(digest).read_bytes()
                for blob in Manifest.parse(content).blobs:
                    self._upload_blob(session, base, blob)
                session.put(
                    f"{base}/manifests/{tag}", content, headers={"Content-Type": MANIFEST_TYPE}
                ).raise_for_status()

    def _upload_blob(self, session: requests.Session, base: str, blob: Descriptor) -> None:
        if session.head(f"{base}/blobs/{blob.digest}").ok:
            return
        begun = session.post(f"{base}/blobs/uploads/")
        begun.raise_for_status()
        place = urljoin(begun.url, begun.headers["Location"])
        with self.store.blobs.path(blob.digest).open("rb") as content:
            session.put(
                f"{place}{'&' if '?' in place else '?'}digest={blob.digest}",
                data=content,
                headers={"Content-Type": "application/octet-stream"},
            ).raise_for_status()


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    hasher = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _commit(store: Store, weights: Descriptor, tag: str, context: int) -> Digest:
    schema = ConfigSchema.DOCKER_V01
    config = ModelConfig(schema, format="gguf", context_size=context).to_bytes()
    described = Descriptor.of(config, schema.value)
    store.blobs.write_bytes(described, config)
    manifest = Manifest(described, (weights,)).to_bytes()
    model = store.commit(manifest, Reference.parse(f"{REPOSITORY}:{tag}"))
    assert model is not None
    return model.id
