"""What a worker is told when it is started: JSON, over a pipe."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from smolctl.engine.options import EngineOptions
from smolctl.errors import UsageError
from smolctl.runner.address import WorkerAddress, WorkerFolder
from smolctl.runner.source import ModelSource

DEFAULT_SEQUENCES = 4
"""Replies that a worker generates side by side unless `--parallel` says otherwise."""

DEFAULT_KEEP_ALIVE = 300.0
"""Seconds that an idle worker stays unless somebody says otherwise."""

_SOURCE_FIELDS = frozenset(field.name for field in fields(ModelSource))
_OPTION_FIELDS = frozenset(field.name for field in fields(EngineOptions))


@dataclass(frozen=True)
class WorkerSpecification:
    """The model, how to load it, and the seconds to stay when idle (negative: for ever).

    `folder` is where its workers belong. A context that is left open is to hold `wanted_context`
    tokens, if idle workers can make room for that. `debug` sends llama.cpp's log to the worker's.
    """

    source: ModelSource
    options: EngineOptions
    folder: WorkerFolder
    keep_alive: float = DEFAULT_KEEP_ALIVE
    wanted_context: int = 0
    debug: bool = False

    @property
    def address(self) -> WorkerAddress:
        """Where the worker belongs."""
        return self.folder.address(self.source.id)

    def to_json(self) -> bytes:
        """Return what `parse` reads."""
        return json.dumps(asdict(self), default=str).encode(errors="surrogateescape")

    @classmethod
    def parse(cls, document: bytes) -> WorkerSpecification:
        """Read what `to_json` wrote. Raises `UsageError` for anything else."""
        try:
            value = json.loads(document.decode(errors="surrogateescape"))
            source = _only(value["source"], _SOURCE_FIELDS)
            source["names"] = tuple(source["names"])
            source["weights"] = tuple(map(Path, source["weights"]))
            return cls(
                source=ModelSource(**source),
                options=EngineOptions(**_only(value["options"], _OPTION_FIELDS)),
                folder=WorkerFolder(**{k: Path(v) for k, v in value["folder"].items()}),
                keep_alive=float(value["keep_alive"]),
                wanted_context=int(value["wanted_context"]),
                debug=bool(value["debug"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f"this is no specification of a worker: {error}") from error


def _only(value: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return a copy of `value` when it has these names and no others."""
    if value.keys() != names:
        raise ValueError(f"fields {sorted(value.keys() ^ names)}")
    return dict(value)
