"""A model of the cache as `ls` and `inspect` say it in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.cli.listing import SHOWN
from smolctl.errors import SmolctlError
from smolctl.model.units import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.model.artifact import Artifact
    from smolctl.model.reference import Reference
    from smolctl.store.store import Store, StoredModel


@dataclass(frozen=True)
class Listed:
    """A model with its documents. `problem` says why they could not be read, if they could not."""

    model: StoredModel
    artifact: Artifact | None
    problem: str | None = None

    @classmethod
    def read(cls, store: Store, model: StoredModel) -> Listed:
        """Read the documents of `model`; one damaged model must not hide the others."""
        try:
            return cls(model, store.artifact(model))
        except SmolctlError as error:
            return cls(model, None, error.message)

    def entry(self, store: Store, names: Sequence[Reference] | None = None) -> dict[str, Any]:
        """Return what `as_json` does, and the names that the table shows: of `names`, or all.

        A model without a tag shows its repository alone.
        """
        names = self.model.names if names is None else names
        shown = [store.familiar(name) for name in names if name.tag is not None]
        if not shown:
            origins = {store.familiar(name).partition("@")[0] for name in names}
            shown = [f"{origin}:<none>" for origin in sorted(origins)] or ["<none>"]
        return {**self.as_json(), SHOWN: shown}

    def as_json(self) -> dict[str, Any]:
        """Return the model as `docker model list --json` shapes it; sizes are in bytes."""
        value: dict[str, Any] = {
            "id": str(self.model.id),
            "tags": [tag.canonical for tag in self.model.tags],
            "names": [name.canonical for name in self.model.names],
        }
        if self.artifact is None:
            return {**value, "problem": self.problem}
        config = self.artifact.config
        return {
            **value,
            "created": format_time(config.created) if config.created else None,
            "size": self.artifact.size,
            "config": {
                "format": config.format,
                "architecture": config.architecture,
                "parameters": config.parameters,
                "quantization": config.quantization,
                "size": config.size,
                "context_size": config.context_size,
            },
        }
