"""`oci:DIR:TAG` and `oci-archive:FILE:TAG`: models in OCI image layouts, named as skopeo does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.cli.text_file import is_there
from smolctl.errors import ModelNotFound, UsageError

if TYPE_CHECKING:
    from smolctl.cli.invocation import Invocation
    from smolctl.model.reference import Reference
    from smolctl.store.store import StoredModel

_KINDS = ("oci:", "oci-archive:")


def is_layout(name: str) -> bool:
    """Whether `name` is of a model in a layout, and not in a registry."""
    return name.startswith(_KINDS)


def refuse_layout(name: str) -> None:
    """Raise `UsageError` if `name` is of a model in a layout, where one of elsewhere is wanted."""
    if is_layout(name):
        raise UsageError(
            f"{name} is a layout on this machine",
            hint=f"Take the model in first, it gets a name then: smolctl model pull {name}",
        )


def load_layout(
    invocation: Invocation, name: str, *, quiet: bool = False
) -> tuple[StoredModel, Reference]:
    """Take the model `name` into the cache, under the name that the layout has for it.

    Returns both.
    Raises `ModelNotFound` where there is no such layout, `UsageError` where `name` means several
    models, and what `load` raises.
    """
    from smolctl.cli.load import load
    from smolctl.store.load import Wanted

    place, _, tag = name.partition(":")[2].partition(":")
    if not place:
        raise UsageError(f"{name} names no layout", hint="Layouts are named oci:DIR:TAG.")
    if not is_there(Path(place)):
        raise ModelNotFound(f"no such layout: {place}")
    loaded = load(invocation, Path(place), Wanted(tag or None), quiet=quiet)
    if len(loaded) > 1:
        raise UsageError(
            f"{place} has {len(loaded)} models, all of which are here now", hint="Name one: …:TAG"
        )
    return loaded[0]
