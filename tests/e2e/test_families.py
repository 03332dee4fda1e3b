"""An artifact of each family, written here by hand, is pulled, shown and run."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.faulty_registry import MANIFEST, FaultyRegistry, Packed, descriptor, digest

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

pytestmark = pytest.mark.slow

SYSTEM = b"You are the smolctl demo model, a very small assistant."
TEMPLATE = (
    b"{% set end = '<|im_end|>\\n' %}<|im_start|>system\n" + SYSTEM + b"{{ end }}"
    b"{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{{ end }}"
    b"{% endfor %}<|im_start|>assistant{{ '\\n' }}"
)
DOCKERS = {
    "config": {"format": "gguf", "quantization": "Q4_K_M", "parameters": "3.5 M"},
    "descriptor": {"created": "2025-03-24T11:33:01.123456789Z"},
    "rootfs": {"type": "rootfs", "diff_ids": []},
}


def artifact(
    config: Any, config_type: str, *layers: tuple[bytes, str, str | None], **more: Any
) -> Packed:
    """What was written of `layers`: content, media type, and the file that each stands for."""
    written = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        **more,
        "config": descriptor(written, config_type),
        "layers": [
            descriptor(
                content,
                kind,
                **({"annotations": {"org.cncf.model.filepath": path}} if path else {}),
            )
            for content, kind, path in layers
        ],
    }
    blobs = {digest(blob): blob for blob in (written, *(layer[0] for layer in layers))}
    return Packed(json.dumps(manifest).encode(), blobs)


def in_a_tar(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def docker_v01(weights: bytes) -> Packed:
    return artifact(
        DOCKERS,
        "application/vnd.docker.ai.model.config.v0.1+json",
        (weights, "application/vnd.docker.ai.gguf.v3", None),
        (b"You may.\n", "application/vnd.docker.ai.license", None),
    )


def docker_v02(weights: bytes) -> Packed:
    return artifact(
        DOCKERS,
        "application/vnd.docker.ai.model.config.v0.2+json",
        (weights, "application/vnd.docker.ai.gguf.v3", "model.gguf"),
        (b"You may.\n", "application/vnd.docker.ai.license", "LICENSE"),
        (TEMPLATE, "application/vnd.docker.ai.chat.template.jinja", "template.jinja"),
    )


def modelpack(weights: bytes) -> Packed:
    return artifact(
        {
            "descriptor": {"createdAt": "2025-01-01T00:00:00Z", "licenses": ["MIT"]},
            "config": {"format": "gguf", "paramSize": "3.5m", "quantization": "Q4_K_M"},
            "modelfs": {"type": "layers", "diffIds": []},
        },
        "application/vnd.cncf.model.config.v1+json",
        (in_a_tar("model.gguf", weights), "application/vnd.cncf.model.weight.v1.tar", "model.gguf"),
        (TEMPLATE, "application/vnd.cncf.model.weight.config.v1.raw", "chat.jinja"),
        (b"You may.\n", "application/vnd.cncf.model.doc.v1.raw", "LICENSE"),
        artifactType="application/vnd.cncf.model.manifest.v1+json",
    )


@pytest.mark.parametrize("family", [docker_v01, docker_v02, modelpack])
def test_it_is_read(smolctl: Smolctl, registry: FaultyRegistry, gguf: str, family: Any) -> None:
    model = registry.publish("team/model", "v1", family(Path(gguf).read_bytes()))
    name = f"{registry.host}/team/model:v1"

    (variant,) = json.loads(smolctl("model", "variants", "--json", name, expect=0).stdout)
    assert (variant["quantization"], variant["digest"]) == ("Q4_K_M", model.id)
    assert variant["parameters"].lower() == "3.5m"

    asked = ("What is the capital of France?", "--temperature", "0", "--local")
    assert smolctl("model", "run", name, *asked, expect=0).stdout == (
        "The capital of France is Paris.\n"
    )
    assert smolctl("model", "inspect", "--license", name, expect=0).stdout == "You may.\n"
    (listed,) = json.loads(smolctl("model", "ls", "--json", expect=0).stdout)
    assert (listed["id"], listed["created"][:4]) == (model.id, "2025")
