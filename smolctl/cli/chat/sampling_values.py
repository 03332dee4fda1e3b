"""The values that `/set` changes: a name, a text, and the sampling with it."""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from typing import Any

from smolctl.cli.output import brief
from smolctl.engine.sampling import Sampling
from smolctl.errors import UsageError

_WHOLE = frozenset({"top_k", "seed", "max_tokens"})
_DEFAULTS = {field.name: field.default for field in fields(Sampling) if field.name != "logit_bias"}
_TO_DEFAULT = frozenset({"default", "none"})

NAMES = tuple(_DEFAULTS)
"""What can be set, in the order of `Sampling`."""


def canonical(name: str, among: tuple[str, ...] = NAMES) -> str:
    """Return the name as it is written here. Raises `UsageError` for one that is not `among`."""
    found = name.lower().replace("-", "_")
    if found in among:
        return found
    begun = [each for each in among if each.startswith(found)]
    near = begun or difflib.get_close_matches(found, among, n=1)
    guess = f"did you mean {near[0]}?" if near else "/set lists what there is."
    raise UsageError(f"there is no setting {brief(name)}; {guess}")


def changed(sampling: Sampling, name: str, text: str) -> Sampling:
    """Return `sampling` with the value that `text` says; `default` is its default.

    `name` is one of `NAMES`. Raises `UsageError`, in one line, for a value that makes no sense.
    """
    values: dict[str, Any] = {}
    if text.lower() in _TO_DEFAULT:
        values[name] = _DEFAULTS[name]
        return replace(sampling, **values)
    try:
        values[name] = int(text) if name in _WHOLE else float(text)
    except ValueError:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise UsageError(f"{name} cannot be {brief(text)}: it must be {kind}") from None
    try:
        return replace(sampling, **values)
    except UsageError as error:
        reason = (error.hint or "it is out of range").rstrip(".")
        reason = reason[:1].lower() + reason[1:]
        raise UsageError(f"{name} cannot be {brief(text)}: {reason}") from None


def listed(sampling: Sampling) -> list[str]:
    """Return a line for each value; those that are not their default say so."""
    lines = []
    for name, default in _DEFAULTS.items():
        value = getattr(sampling, name)
        note = "" if value == default else f"   (default: {_shown(name, default)})"
        lines.append(f"{name:<18}{_shown(name, value)}{note}")
    return lines


def differing(sampling: Sampling) -> str:
    """Return the values that are not their defaults, in one line; `default` when all are."""
    found = [
        f"{name} {_shown(name, getattr(sampling, name))}"
        for name, default in _DEFAULTS.items()
        if getattr(sampling, name) != default
    ]
    return ", ".join(found) or "default"


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "random" if name == "seed" else "no limit"
    return f"{value:g}" if isinstance(value, float) else str(value)
