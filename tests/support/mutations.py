"""What strangers may send, changed by chance, and everything that reads it.

`python -m tests.support.mutations READER COUNT` reads so many in this process, in which no more
than 64 MiB are to be had beyond what it began with, and prints what came of it.
"""

from __future__ import annotations

import copy
import io
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolctl.cli.card import card_json, card_markdown
from smolctl.cli.markdown.document import Document
from smolctl.cli.markdown.layout import Look
from smolctl.engine.options import EngineOptions
from smolctl.errors import SmolctlError
from smolctl.model.artifact import Artifact
from smolctl.model.card import make_card
from smolctl.model.config import ConfigSchema
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import ImageIndex, Manifest
from smolctl.model.packaging import Format, assemble, config_of, parts_of
from smolctl.model.stated_header import stated_header
from smolctl.model.units import format_size
from smolctl.registry.hub_description import hub_description
from smolctl.registry.remote_header import read_remote_header
from smolctl.registry.remote_model import RemoteModel
from smolctl.registry.retry import RetryPolicy
from smolctl.registry.variants import Variant, described
from smolctl.runner.need import memory_need, memory_table
from smolctl.runner.workers import worker_options
from smolctl.store.load import Loading, Wanted
from smolctl.store.packaging import read_headers
from smolctl.store.store import Store
from tests.support.faulty_registry import CONFIG, GGUF, MANIFEST, descriptor, pack
from tests.support.gguf_files import parse_header, tiny_llama
from tests.support.large_blob import wordy_header
from tests.support.layouts import tar_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.model.gguf import GGUFHeader

MEMORY = 64 * 1024 * 1024
SECONDS = 1.0

STATED = {
    "general.architecture": "llama",
    "llama.context_length": "2048",
    "llama.block_count": "2",
    "llama.embedding_length": "64",
    "llama.feed_forward_length": "128",
    "llama.attention.head_count": "4",
    "llama.attention.head_count_kv": "2",
    "llama.vocab_size": "32",
}
README = """---
license: other
license_name: tiny-1.0
language: [en, "fr"]
base_model:
- team/base
pipeline_tag: text-generation
---
# Tiny

Tiny is **small**: see [this](https://example.com).

## Intended uses

- Tests

| Attribute | Details |
|---|---|
| **Provider** | Nobody |

Benchmarks
----------

```
x | y
```
"""
_MODEL = pack(config={"gguf": STATED, "context_size": 4096})
_OPTIONS = worker_options(EngineOptions(), parallel=False)
_MODELPACK = json.dumps(
    {
        "descriptor": {"name": "Tiny", "vendor": "Nobody", "licenses": ["mit"], "docURL": "x"},
        "config": {
            "architecture": "llama",
            "paramSize": "6k",
            "capabilities": {"inputTypes": ["text"], "languages": ["en"], "toolUsage": True},
        },
        "modelfs": {"type": "layers", "diffIds": []},
    }
).encode()
_ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    float("nan"),
    "",
    "\x00\x1b[2J",
    "../../etc/passwd",
    "x" * 100_000,
    "9" * 5000,
    [],
    {},
    [[[[]]]],
    ["a"] * 10_000,
    {"a": {"b": {}}},
    [{}] * 1000,
    "sha256:" + "0" * 64,
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return `content` with some bytes changed, a piece cut out, or a piece put in twice."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(changed)), chance.randrange(len(changed))
        action = chance.randrange(6)
        if action == 0:
            del changed[at : at + chance.randint(1, 40)]
        elif action == 1:
            changed[at:at] = changed[other : other + chance.randint(1, 40)]
        elif action == 2:
            changed[at] = chance.choice(b'0189-\x00\xff"[]{}e')
        elif action == 3:
            length = chance.choice([0, 1, 2**7, 2**16, 2**31, 2**32 - 1, 2**62, 2**64 - 1])
            changed[at : at + 8] = length.to_bytes(8, "little")
        elif action == 4:
            changed[at:at] = changed[other : other + chance.randint(1, 9)] * chance.choice([9, 99])
        else:
            changed[at] = chance.randrange(256)
        if not changed:
            return b""
    return bytes(changed)


def altered(document: bytes, chance: random.Random) -> bytes:
    """Return a JSON document with values that nobody expects there, or with bytes changed."""
    if not chance.randrange(3):
        return mutated(document, chance)
    value = json.loads(document)
    for _ in range(chance.randint(1, 3)):
        places = [*_places(value)]
        if not places:
            break
        container, key = chance.choice(places)
        container[key] = copy.deepcopy(chance.choice(_ODD))
    return json.dumps(value).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in `value` that another value may take."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 500:
        inner = waiting.pop()
        keys = [*inner] if isinstance(inner, dict) else range(len(inner))
        found += [(inner, key) for key in keys]
        waiting += [inner[key] for key in keys if isinstance(inner[key], (dict, list))]
    return found


def _tell_all(artifact: Artifact, header: GGUFHeader | None, readmes: dict[str, str]) -> None:
    """Make everything that is shown of a model, and a package of it."""
    variant = described(Variant(("v1",)), RemoteModel(artifact, header))
    for known in (header, variant.header):
        if known is None:
            continue
        need = memory_need(known, variant.weights_bytes, _OPTIONS, 10**9, variant.context)
        assert need is None or format_size(need.bytes)
        for needs in memory_table(known, 10**9, _OPTIONS, variant.context).values():
            assert all(format_size(needed) for needed in needs.values())
    card = make_card("team/tiny:v1", artifact, header, readmes, "a license")
    json.dumps(card_json("tiny", card, []))
    document = Document(Look())
    document.feed(card_markdown("tiny", card, [], 60), 60)
    document.end(60)


def _package(artifact: Artifact, header: GGUFHeader) -> None:
    config = config_of([header])
    assemble(config, parts_of(artifact, Format.docker), Format.docker, {})


def _gguf(chance: random.Random) -> Callable[[], None]:
    content = tiny_llama()
    changed = mutated(content[:2000], chance)

    def read() -> None:
        header = parse_header(changed, size=len(content))
        artifact = Artifact.of(Manifest.parse(_MODEL.manifest), _MODEL.blobs[_MODEL.config])
        _tell_all(artifact, header, {})
        _package(artifact, header)

    return read


def _packaged(chance: random.Random) -> Callable[[], None]:
    content = tiny_llama()
    path = Path(tempfile.gettempdir()) / "model.gguf"
    changed = mutated(content[:2000], chance) + content[2000:]

    def read() -> None:
        path.write_bytes(changed)
        (header,) = read_headers([path])
        config_of([header])

    return read


class _Registry:
    """As much of a `RegistryClient` as reading a header takes; `content` is the blob."""

    retries = RetryPolicy(retries=0)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open_blob(self, repository: str, blob: Descriptor, start: int, end: int) -> _Stream:
        del repository, blob
        return _Stream(self._content[start:end], end - start)


class _Stream:
    """So many bytes, of which those beyond `content` are zeros."""

    def __init__(self, content: bytes, left: int) -> None:
        self._content = io.BytesIO(content)
        self._left = left

    def read(self, count: int) -> bytes:
        count = min(count, self._left, 64 * 1024)
        self._left -= count
        return self._content.read(count).ljust(count, b"\0")

    def close(self) -> None:
        """Hang up."""


_WORDY = wordy_header(300)


def _remote(chance: random.Random) -> Callable[[], None]:
    changed = mutated(_WORDY, chance)
    size = chance.choice([len(changed), 725_000_000, 2**62])
    blob = Descriptor(GGUF, Descriptor.of(changed, GGUF).digest, size or 1)

    def read() -> None:
        header = read_remote_header(_Registry(changed), "team/model", blob)  # type: ignore[arg-type]
        artifact = Artifact.of(Manifest.parse(_MODEL.manifest), _MODEL.blobs[_MODEL.config])
        _tell_all(artifact, header, {})

    return read


def _documents(chance: random.Random) -> Callable[[], None]:
    documents = [_MODEL.manifest, _MODEL.blobs[_MODEL.config]]
    if chance.randrange(2):
        kind = chance.choice([each.value for each in ConfigSchema])
        documents[0] = documents[0].replace(CONFIG.encode(), kind.encode())
        if kind == ConfigSchema.MODELPACK.value:
            documents[1] = _MODELPACK
    which = chance.randrange(2)
    documents[which] = altered(documents[which], chance)

    def read() -> None:
        artifact = Artifact.of(Manifest.parse(documents[0]), documents[1])
        _tell_all(artifact, stated_header(artifact.config), {})

    return read


def _index(chance: random.Random) -> Callable[[], None]:
    entries = [descriptor(b"a", MANIFEST, platform={"os": "linux"}, annotations={"a": "b"})] * 2
    changed = altered(json.dumps({"schemaVersion": 2, "manifests": entries}).encode(), chance)
    return lambda: ImageIndex.parse(changed).to_bytes() and None


def _readme(chance: random.Random) -> Callable[[], None]:
    changed = mutated(README.encode(), chance).decode(errors="replace")
    artifact = Artifact.of(Manifest.parse(_MODEL.manifest), _MODEL.blobs[_MODEL.config])
    return lambda: _tell_all(artifact, None, {"README": changed})


def _hub(chance: random.Random) -> Callable[[], None]:
    page = {"user": "ai", "description": "Short", "full_description": README, "x": [1]}
    changed = altered(json.dumps(page).encode(), chance)
    artifact = Artifact.of(Manifest.parse(_MODEL.manifest), _MODEL.blobs[_MODEL.config])

    def read() -> None:
        text = hub_description("ai/tiny", lambda _: changed)
        _tell_all(artifact, None, {"Docker Hub": text} if text else {})

    return read


def _layout(chance: random.Random) -> Callable[[], None]:
    """A tar of a layout: its index or a document of it is odd, or its own bytes are."""
    root = Path(tempfile.gettempdir()) / "models"
    shutil.rmtree(root, ignore_errors=True)
    manifest, config = _MODEL.manifest, _MODEL.blobs[_MODEL.config]
    which = chance.randrange(4)
    if which == 0:
        manifest = altered(manifest, chance)
    elif which == 1:
        config = altered(config, chance)
        document = json.loads(manifest)
        document["config"] = descriptor(config, CONFIG)
        manifest = json.dumps(document).encode()
    content = tar_of(
        manifest,
        manifest,
        config,
        *_MODEL.blobs.values(),
        change=(lambda index: altered(index, chance)) if which == 2 else (lambda index: index),
    )
    if which == 3:
        content = mutated(content, chance)

    def read() -> None:
        try:
            Loading(Store(root), Wanted()).from_tar(io.BytesIO(content))
        except SmolctlError:
            # Of what is refused nothing stays.
            if [*(root / "blobs" / "sha256").iterdir()]:
                raise AssertionError("a blob stays") from None
            raise

    return read


READERS: dict[str, Callable[[random.Random], Callable[[], None]]] = {
    "gguf": _gguf,
    "packaged": _packaged,
    "remote": _remote,
    "documents": _documents,
    "index": _index,
    "readme": _readme,
    "hub": _hub,
    "layout": _layout,
}


@dataclass
class Outcome:
    """How many were read and how many refused; what the slowest took, in seconds of this process;
    by how many bytes the process grew."""

    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    grown: int = 0


def read_mutations(reader: str, count: int) -> Outcome:
    """Read so many; what is no error of our own tree is raised, with a note which one it was."""
    outcome = Outcome()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        read = READERS[reader](random.Random(f"{reader} {seed}"))
        began = time.process_time()
        try:
            read()
            outcome.read += 1
        except SmolctlError as error:
            outcome.refused += 1
            if "\n" in error.message:
                raise AssertionError(f"{reader}, number {seed}: {error.message}") from error
        except BaseException as error:
            raise AssertionError(f"{reader}, number {seed}") from error
        outcome.slowest = max(outcome.slowest, time.process_time() - began)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    outcome.grown = grown * (1 if sys.platform == "darwin" else 1024)
    return outcome


def main() -> None:
    """Read what the command line says, and print what came of it, as JSON."""
    reader, count = sys.argv[1], int(sys.argv[2])
    read_mutations(reader, 50)  # what is imported late, and buffers that stay
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(json.dumps(asdict(read_mutations(reader, count))))


if __name__ == "__main__":
    main()
