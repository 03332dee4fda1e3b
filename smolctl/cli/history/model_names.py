"""Which names in the log are names of one model, however each was spelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.cli.source import looks_like_a_file
from smolctl.errors import UsageError
from smolctl.model.reference import ModelId

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.model.reference import Reference
    from smolctl.store.store import Store


def names_of(store: Store, model: str) -> Callable[[str], bool]:
    """Return what says of a name whether it means `model`, which may be a name, an ID or a file.

    As in `smolctl model ls`, a name without a tag means all tags of its repository. An ID means
    the names that the model has here, where it is here. A file is kept by its name alone.
    """
    if looks_like_a_file(model):
        file = Path(model).name
        return lambda name: name == file
    wanted = _reference(store, model)
    bare = ":" not in model.rpartition("/")[2] and "@" not in model
    same: set[Reference | None] = {wanted}
    if ModelId.parse(model) is not None and (found := store.find(model)) is not None:
        same.update(found.names)
        bare = False

    def matches(name: str) -> bool:
        if name == model:
            return True
        reference = _reference(store, name)
        if reference is None:
            return False
        return reference in same or (bare and wanted is not None and reference.name == wanted.name)

    return matches


def _reference(store: Store, name: str) -> Reference | None:
    """Return the reference that `name` is; None for an ID or a file's name."""
    try:
        return store.parse(name)
    except UsageError:
        return None
