"""What is in the cache, in words and in JSON, as `df`, `prune` and `verify` say it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from smolctl.model.units import format_time
from smolctl.store.leftovers import Kind

if TYPE_CHECKING:
    from smolctl.store.leftovers import Leftover
    from smolctl.store.store import Store, StoredModel

KINDS = {
    Kind.blob: "unused blob",
    Kind.partial: "partial download",
    Kind.scratch: "unfinished file",
    Kind.archive: "unpacked archive",
}
"""What each kind of leftover is called."""


def leftover_name(leftover: Leftover) -> str:
    """Return what to call a leftover: the short digest, else its file's name."""
    return leftover.digest.short if leftover.digest is not None else leftover.path.name


def plural(count: int, name: str) -> str:
    """Return so many of `name`: `2 models without a tag`."""
    if count == 1:
        return f"1 {name}"
    noun, without, rest = name.partition(" without ")
    return f"{count} {noun}s{without}{rest}"


def shown_name(store: Store, model: StoredModel) -> str:
    """Return a name of the model: a tag, else where it came from with its short ID, else that."""
    if model.tags:
        return store.familiar(model.tags[0])
    origin = f"{origin_of(store, model)}@" if model.names else ""
    return f"{origin}{model.id.short}"


def unindexed(store: Store) -> str:
    """Say that the index was lost, and what to do."""
    return (
        f"{store.index_path} is missing, so that no model has a name."
        " `smolctl model verify --repair` makes a new one."
    )


def leftover_json(leftover: Leftover) -> dict[str, Any]:
    """Return a leftover as JSON shows it; sizes are in bytes."""
    return {
        "type": leftover.kind.value,
        "digest": str(leftover.digest) if leftover.digest is not None else None,
        "path": str(leftover.path),
        "size": leftover.size,
        "of": leftover.whole,
        "modified": format_time(time_of(leftover.modified)),
    }


def origin_of(store: Store, model: StoredModel) -> str:
    """Return the repository that a model without a tag came from."""
    return store.familiar(model.names[0]).partition("@")[0]


def time_of(seconds: float) -> datetime:
    """Return the time that is `seconds` after the epoch."""
    return datetime.fromtimestamp(seconds, timezone.utc)
