"""Pulling in a test: small parts, no patience, so that faults are met and passed in no time."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from smolctl.model.reference import Reference
from smolctl.registry.client import RegistryClient
from smolctl.registry.pull import Pull, pull
from smolctl.registry.retry import RetryPolicy
from smolctl.registry.source import Source
from smolctl.registry.transfer_options import TransferOptions

if TYPE_CHECKING:
    from smolctl.model.descriptor import Descriptor
    from smolctl.registry.progress import Progress
    from smolctl.store.store import Store
    from tests.support.faulty_registry import FaultyRegistry

HASTY = RetryPolicy(retries=3, first=0.001, longest=0.002, patience=1)
"""Waits milliseconds where a person's pull waits seconds."""

SMALL_PARTS = TransferOptions(connections=4, part_size=64 * 1024)
"""Cuts a blob of a few hundred kilobytes into as many parts as one of a few hundred megabytes."""


class Notes:
    """A progress that writes down what it is told."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}
        self.counted: dict[str, int] = {}
        self.ended: list[str] = []
        self.notices: list[str] = []
        self.expected: int | None = None

    def expect(self, size: int) -> None:
        self.expected = size

    def begin(self, blob: Descriptor, present: int) -> None:
        self.begun[str(blob.digest)] = present

    def update(self, blob: Descriptor, present: int) -> None:
        self.counted[str(blob.digest)] = present

    def end(self, blob: Descriptor) -> None:
        self.ended.append(str(blob.digest))

    def notice(self, text: str) -> None:
        self.notices.append(text)

    @property
    def passed_over(self) -> list[str]:
        """The registries that were passed over, in order."""
        said = (re.match(r"Passing over (\S+): ", text) for text in self.notices)
        return [match[1] for match in said if match]


def weights(size: int, seed: int = 1) -> bytes:
    """Bytes of which no two parts are alike, so that one in another's place is noticed."""
    return random.Random(seed).randbytes(size)


def assert_sound(store: Store) -> None:
    """Every blob is what it is called; run it after every fault."""
    for path in (store.root / "blobs").glob("sha256/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def unfinished(store: Store) -> list[str]:
    """The digests of which there is a partial file."""
    folder = store.root / "partial"
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return sorted(name.replace("-", ":") for name in names if not name.endswith(".journal"))


def fetch(
    store: Store,
    registry: FaultyRegistry,
    name: str = "team/model:v1",
    progress: Progress | None = None,
    *,
    options: TransferOptions = SMALL_PARTS,
    **client: Any,
) -> Pull:
    """Pull `name` from `registry`; `client` are arguments of the registry's client."""
    reference = Reference.parse(f"{registry.host}/{name}")
    client = {"retries": HASTY, "connections": options.connections, **client}
    with RegistryClient(registry.host, **client) as opened:
        return pull(store, [Source(opened, reference.repository)], reference, progress, options)


def parts_of(size: int, **changes: Any) -> TransferOptions:
    """The options of `SMALL_PARTS` with parts of `size` bytes, and with `changes`."""
    return replace(SMALL_PARTS, part_size=size, **changes)
