"""What `ls` and `inspect` say of a model, as JSON and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolctl.model.units import format_age, format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.model.artifact import Artifact
    from smolctl.store.store import Store, StoredModel

HEADERS = (
    "MODEL NAME",
    "PARAMETERS",
    "QUANTIZATION",
    "ARCHITECTURE",
    "MODEL ID",
    "CREATED",
    "CONTEXT",
    "SIZE",
)
"""The columns of `docker model list`."""

_ABSENT = "-"


@dataclass(frozen=True)
class Listed:
    """A model with its documents. `problem` says why they could not be read, if they could not."""

    model: StoredModel
    artifact: Artifact | None
    problem: str | None = None

    def rows(self, store: Store) -> list[tuple[str, ...]]:
        """Return a row for each name; a model without a tag shows its repository alone."""
        names = [store.familiar(tag) for tag in self.model.tags]
        if not names:
            origins = {store.familiar(name).partition("@")[0] for name in self.model.names}
            names = [f"{origin}:<none>" for origin in origins] or ["<none>"]
        return [(name, *self._columns()) for name in names]

    def _columns(self) -> tuple[str, ...]:
        if self.artifact is None:
            damaged = f"({self.problem})"
            return (_ABSENT, _ABSENT, _ABSENT, self.model.id.short, damaged, _ABSENT, _ABSENT)
        config = self.artifact.config
        return (
            config.parameters or _ABSENT,
            config.quantization or _ABSENT,
            config.architecture or _ABSENT,
            self.model.id.short,
            format_age(config.created) if config.created else _ABSENT,
            str(config.context_size or _ABSENT),
            format_size(self.artifact.size),
        )

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


def by_name(row: Sequence[str]) -> tuple[str, bool, str]:
    """Sort rows by name, a repository's `latest` first, as Docker Model Runner lists."""
    repository, _, tag = row[0].rpartition(":")
    return repository, tag != "latest", tag
