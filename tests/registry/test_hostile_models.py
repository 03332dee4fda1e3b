"""Documents and headers that chance has been at: what is told of a model, and never a crash."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from smolctl.engine.options import EngineOptions
from smolctl.errors import SmolctlError
from smolctl.model.artifact import Artifact
from smolctl.model.manifest import Manifest
from smolctl.model.stated_header import stated_header
from smolctl.model.units import format_size
from smolctl.registry.remote_model import RemoteModel
from smolctl.registry.variants import Variant, described
from smolctl.runner.need import memory_need, memory_table
from smolctl.runner.workers import worker_options
from tests.registry.test_variants import STATED
from tests.support.faulty_registry import pack
from tests.support.gguf_files import parse_header, tiny_llama

if TYPE_CHECKING:
    from smolctl.model.gguf import GGUFHeader


MODEL = pack(config={"gguf": STATED, "context_size": 4096})
OPTIONS = worker_options(EngineOptions(), parallel=False)

few_or_many = pytest.mark.parametrize("times", [500, pytest.param(10_000, marks=pytest.mark.slow)])


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return `content` with some bytes changed, a piece cut out, or a piece put in twice."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        other = chance.randrange(len(changed))
        action = chance.randrange(4)
        if action == 0:
            del changed[at : at + chance.randint(1, 40)]
        elif action == 1:
            changed[at:at] = changed[other : other + chance.randint(1, 40)]
        elif action == 2:
            changed[at] = chance.choice(b'0189-\x00\xff"[]{}e')
        else:
            changed[at] = chance.randrange(256)
        if not changed:
            return b""
    return bytes(changed)


def tell_all(artifact: Artifact, header: GGUFHeader | None) -> None:
    """Make everything that is shown of a model."""
    variant = described(Variant(("v1",)), RemoteModel(artifact, header))
    for known in (header, variant.header):
        if known is None:
            continue
        need = memory_need(known, variant.weights_bytes, OPTIONS, 10**9, variant.context)
        assert need is None or format_size(need.bytes)
        for needs in memory_table(known, 10**9, OPTIONS, variant.context).values():
            assert all(format_size(needed) for needed in needs.values())


@few_or_many
def test_headers(times: int) -> None:
    chance = random.Random(1)
    whole = Artifact.of(Manifest.parse(MODEL.manifest), MODEL.blobs[MODEL.config])
    content, told = tiny_llama(), 0
    for _ in range(times):
        try:
            header = parse_header(mutated(content[:2000], chance), size=len(content))
        except SmolctlError:
            continue
        tell_all(whole, header)
        told += 1
    assert told > times // 50


@few_or_many
def test_manifests_and_configs(times: int) -> None:
    chance = random.Random(2)
    config, told = MODEL.blobs[MODEL.config], 0
    for turn in range(times):
        documents = [MODEL.manifest, config]
        documents[turn % 2] = mutated(documents[turn % 2], chance)
        try:
            artifact = Artifact.of(Manifest.parse(documents[0]), documents[1])
        except SmolctlError:
            continue
        tell_all(artifact, stated_header(artifact.config))
        told += 1
    assert told > times // 50
