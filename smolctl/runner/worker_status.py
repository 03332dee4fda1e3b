"""What a worker says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from smolctl import __version__
from smolctl.runner.connection import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from smolctl.engine.options import EngineOptions


NAMED_OPTIONS = (
    "context_size",
    "threads",
    "sequences",
    "gpu_layers",
    "flash_attention",
    "cache_type_k",
    "cache_type_v",
)
"""The engine's options that have a flag, and that a running worker may differ in."""


@dataclass(frozen=True)
class Worker:
    """A worker that is running. Times are in seconds since 1970, `memory` is in bytes.

    `options` are those of its engine. `context_size` is what it was loaded with, and
    `full_context` what it would have been with enough memory. `expires_at` is None while it is
    busy, or stays for ever; `keep_alive` then tells which.
    """

    socket: Path
    id: str
    name: str
    names: tuple[str, ...]
    pid: int
    version: str
    context_size: int
    full_context: int | None
    sequences: int
    options: Mapping[str, Any]
    loaded_at: float
    last_used: float
    keep_alive: float
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
            names = tuple(map(str, known.pop("names")))
            return cls(socket=socket, names=names, **known)
        except (TypeError, KeyError):
            return None

    def as_json(self) -> dict[str, Any]:
        """Return what `parse` reads, and the socket."""
        value = {name: getattr(self, name) for name in _FIELDS}
        return {**value, "names": list(self.names), "socket": str(self.socket)}


_FIELDS = tuple(field.name for field in fields(Worker) if field.init and field.name != "socket")


@dataclass(frozen=True)
class Expectation:
    """What a caller wants of a worker: this version of smolctl, and the options it named."""

    options: Mapping[str, Any]
    version: str = __version__

    def difference(self, version: str, options: Mapping[str, Any]) -> str | None:
        """Return how a worker with `version` and `options` differs; None when it will do."""
        if version != self.version:
            return f"smolctl {version}"
        differing = [name for name in self.options if options.get(name) != self.options[name]]
        if not differing:
            return None
        return ", ".join(f"{name.replace('_', ' ')} {options.get(name)}" for name in differing)

    def as_json(self) -> dict[str, Any]:
        """Return what `parse` reads."""
        return {"version": self.version, "options": dict(self.options)}

    @classmethod
    def parse(cls, value: Any) -> Expectation:
        """Read what `as_json` wrote. Raises `ValueError`."""
        if not isinstance(value, dict) or not isinstance(value.get("options"), dict):
            raise ValueError("no expectation")
        return cls(value["options"], str(value.get("version")))


def named_options(options: EngineOptions) -> dict[str, Any]:
    """Return the options that a caller can name, as JSON has them."""
    return {name: getattr(options, name) for name in NAMED_OPTIONS if hasattr(options, name)}
