"""What a caller expects of a worker, and the headers that say it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl import __version__
from smolctl.engine.options import EngineOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MODEL_ID_HEADER = "X-Smolctl-Model-ID"
"""The model's ID: whoever asks has resolved its name."""

KEEP_ALIVE_HEADER = "X-Smolctl-Keep-Alive"
"""Seconds to stay for when idle, from this request on; a duration like `5m` as well."""

EXPECT_HEADER = "X-Smolctl-Expect"
"""An `Expectation` in JSON; a worker that does not meet it answers 409, and does nothing."""

WORKER_DIFFERS = "worker_differs"
"""The error's code then."""

_FLAGS = {
    "context_size": "--ctx-size",
    "threads": "--threads",
    "sequences": "--parallel",
    "gpu_layers": "--gpu-layers",
    "flash_attention": "--flash-attn",
    "cache_type_k": "--cache-type-k",
    "cache_type_v": "--cache-type-v",
}
NAMED_OPTIONS = tuple(_FLAGS)
"""The engine's options that have a flag, and that a running worker may differ in."""


class Expectation(NamedTuple):
    """What a caller wants of a worker: this version of smolctl, and the options it named."""

    options: Mapping[str, Any]
    version: str = __version__

    def difference(self, version: str, options: Mapping[str, Any]) -> str | None:
        """Return how a worker with `version` and `options` differs; None when it will do."""
        if version != self.version:
            return f"smolctl {version}"
        differing = [
            name
            for name, value in self.options.items()
            if _comparable(name, options.get(name)) != _comparable(name, value)
        ]
        if not differing:
            return None
        shown = {name: options.get(name) for name in differing}
        return ", ".join(
            f"{_FLAGS[name]} {'auto' if value is None else value}" if name in _FLAGS else name
            for name, value in shown.items()
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `parse` reads."""
        return {"version": self.version, "options": dict(self.options)}

    @classmethod
    def parse(cls, value: Any) -> Expectation:
        """Read what `as_json` wrote. Raises `ValueError`."""
        if not isinstance(value, dict) or not isinstance(value.get("options"), dict):
            raise ValueError("no expectation")
        return cls(value["options"], str(value.get("version")))


def _comparable(name: str, value: Any) -> Any:
    """Return what two values of an option are compared by: llama.cpp rounds contexts up."""
    if name == "context_size" and isinstance(value, int):
        from smolctl.model.memory import CONTEXT_STEP  # most calls name no context

        return -(-value // CONTEXT_STEP) * CONTEXT_STEP
    return value


def expected(options: EngineOptions, named: Collection[str] | None = None) -> Expectation:
    """Return what a worker must have for `options`: those that are `named`.

    None names those that differ from the defaults.
    """
    if named is None:
        default = EngineOptions()
        named = [name for name in NAMED_OPTIONS if getattr(options, name) != getattr(default, name)]
    return Expectation({name: getattr(options, name) for name in NAMED_OPTIONS if name in named})


def worker_headers(expectation: Expectation, keep_alive: float | None) -> dict[str, str]:
    """Return the headers that say what is expected of a worker, and the seconds to stay, if any."""
    headers = {EXPECT_HEADER: json.dumps(expectation.as_json())}
    return headers if keep_alive is None else {**headers, KEEP_ALIVE_HEADER: f"{keep_alive:g}"}


def named_options(options: EngineOptions) -> dict[str, Any]:
    """Return the options that a caller can name, as JSON has them."""
    return {name: getattr(options, name) for name in NAMED_OPTIONS}
