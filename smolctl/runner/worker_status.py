"""What a worker says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from smolctl.runner.connection import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Worker:
    """A worker that is running. Times are in seconds since 1970, `memory` is in bytes.

    `options` are those of its engine that can be named, `mode` is `completion` or `embedding`.
    `context_size` is what it was loaded with, and `full_context` what it would have been with
    enough memory, None where a size was asked for; `wanted_context` are the tokens that it was
    loaded anew to hold, if it was. `expires_at` is None while it is busy, or stays for ever;
    `keep_alive` then tells which. What a worker of another version does not say has a default.
    """

    socket: Path
    id: str
    name: str
    pid: int
    version: str
    names: tuple[str, ...] = ()
    context_size: int = 0
    full_context: int | None = None
    wanted_context: int = 0
    sequences: int = 1
    shared_cache: bool = False
    mode: str = "completion"
    options: Mapping[str, Any] = field(default_factory=dict)
    loaded_at: float = 0.0
    last_used: float = 0.0
    keep_alive: float = 0.0
    expires_at: float | None = None
    busy: int = 0
    memory: int = 0
    endpoint: Endpoint = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", Endpoint(self.socket))

    @classmethod
    def parse(cls, socket: Path, value: Any) -> Worker | None:
        """Read what the worker at `socket` answered; None when it makes no sense."""
        if not isinstance(value, dict):
            return None
        known = {name: value[name] for name in _FIELDS if name in value}
        try:
            names = tuple(map(str, known.pop("names", ())))
            return cls(socket=socket, names=names, **known)
        except (TypeError, KeyError):
            return None

    def as_json(self) -> dict[str, Any]:
        """Return what `parse` reads, and the socket."""
        value = {name: getattr(self, name) for name in _FIELDS}
        return {**value, "names": list(self.names), "socket": str(self.socket)}


_FIELDS = tuple(field.name for field in fields(Worker) if field.init and field.name != "socket")
