"""OCI image layouts as tars, made without the code under test."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

from tests.support.faulty_registry import MANIFEST, descriptor, digest

if TYPE_CHECKING:
    from collections.abc import Callable


def tar_of(
    manifest: bytes,
    *blobs: bytes,
    name: str = "team/model:v1",
    change: Callable[[bytes], bytes] = lambda index: index,
) -> bytes:
    """A tar with one model, whose `manifest` is among `blobs` or is not; `change` its index."""
    entry = descriptor(manifest, MANIFEST, annotations={"org.opencontainers.image.ref.name": name})
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": change(index)}
    files |= {f"blobs/sha256/{digest(blob)[7:]}": blob for blob in blobs}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()
