"""A model whose one layer takes eleven parts, and what a registry was asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.faulty_registry import (
    FaultyRegistry,
    Packed,
)
from tests.support.pulling import (
    SMALL_PARTS,
    assert_sound,
    unfinished,
    weights,
)

if TYPE_CHECKING:
    from smolctl.store.store import Store

KIBIBYTE = 1024
PART = SMALL_PARTS.part_size
CONTENT = weights(10 * PART + 1234)
MODEL = Packed.of_layers(CONTENT)
(LAYER,) = MODEL.layers
SHORT = {"timeouts": (5.0, 0.05)}
"""A stall is over in 50 ms."""


def ranges(registry: FaultyRegistry, layer: str = LAYER) -> list[tuple[int, int] | None]:
    """What was asked of `layer`, in order: offsets of a range, or None for all of it."""
    asked = [r.headers.get("range") for r in registry.requests if r.path.endswith(layer)]
    return [None if text is None else offsets(text) for text in asked]


def offsets(text: str) -> tuple[int, int]:
    """Where a range begins and ends, of a `Range` header."""
    start, _, last = text.removeprefix("bytes=").partition("-")
    return int(start), int(last) + 1


def assert_is_here(store: Store, registry: FaultyRegistry, model: Packed = MODEL) -> None:
    found = store.get(f"{registry.host}/team/model:v1")
    assert str(found.id) == model.id
    assert store.missing_blobs(store.artifact(found).manifest) == []
    assert_sound(store)
    assert unfinished(store) == []
