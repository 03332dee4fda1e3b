"""What the arguments and options of the command line take, as far as a shell can complete it.

Typer knows types: a number, a choice, a path. What a text means it does not know; that is in the
tables here. A text that is in neither raises `UnknownValue`, so that `make completions` and a test
fail until somebody says what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from typer._click.types import FloatParamType, IntParamType
from typer.models import TyperPath

from smolctl.engine.options import CACHE_TYPES

if TYPE_CHECKING:
    from typer._click import Parameter


class Kind(str, Enum):
    """What completes a value. Those with a name of several letters are asked of `smolctl`."""

    nothing = "-"
    words = "w"
    files = "f"
    text_or_file = "@"  # a text; @FILE reads it from a file
    models = "models"  # a path as well, when it looks like one
    running = "running"
    sessions = "sessions"
    registries = "registries"

    @property
    def is_asked(self) -> bool:
        """Whether `smolctl` itself has to say what there is."""
        return len(self.value) > 1


@dataclass(frozen=True)
class Value:
    """What an argument or an option takes: its name in the help, and what completes it."""

    metavar: str
    kind: Kind
    words: tuple[str, ...] = ()


class UnknownValue(LookupError):
    """A text whose meaning is in no table here."""


_PLACES: dict[str, Kind | tuple[str, ...]] = {
    "smolctl model unload MODEL": Kind.running,
    "--session": Kind.sessions,
    "--system": Kind.text_or_file,
    "--schema": Kind.files,
    "--schema-multi": Kind.files,
    "--gpu-layers": ("auto",),
    "--cache-type-k": tuple(CACHE_TYPES),
    "--cache-type-v": tuple(CACHE_TYPES),
    "--concurrency": Kind.nothing,
    "--keep-alive": Kind.nothing,
    "--host": Kind.nothing,
    "--api-key": Kind.nothing,
    "--allow-origin": Kind.nothing,
    "--allow-host": Kind.nothing,
    "--username": Kind.nothing,
    "--query": Kind.nothing,
    "--older-than": Kind.nothing,
    "--stop": Kind.nothing,
    "--tool-choice": ("auto", "required"),
    "--template": Kind.text_or_file,
    "--output": Kind.files,
    "smolctl model sessions show NAME": Kind.sessions,
    "smolctl model sessions rm NAME": Kind.sessions,
    "smolctl logs rm ENTRY": Kind.nothing,
    "smolctl model batch IN": Kind.files,
    "smolctl model package NAME": Kind.nothing,
    "smolctl model cp SOURCE": Kind.nothing,
    "smolctl model search WORD": Kind.nothing,
    "--registry": Kind.registries,
    "smolctl model load FILE|DIR|-": Kind.files,
    "--from": Kind.models,
    "--quantize": ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "IQ4_XS", "F16"),
    "--annotation": Kind.nothing,
    "--created": Kind.nothing,
    "--tag": Kind.nothing,
    "--name": Kind.nothing,
}
"""By an argument's command and metavar, or by an option's name."""

_METAVARS: dict[str, Kind] = {
    "MODEL": Kind.models,
    "SOURCE": Kind.models,
    "TARGET": Kind.nothing,
    "PROMPT": Kind.nothing,
    "REGISTRY": Kind.registries,
    "FILE": Kind.files,
    "PATH": Kind.files,
}
"""By metavar, for what `_PLACES` does not say."""


def read_value(parameter: Parameter, command: str, metavar: str) -> Value:
    """Return what `parameter` of `command` takes. Raises `UnknownValue`."""
    bare = metavar.strip("[].<>")
    choices = getattr(parameter.type, "choices", None)
    if choices is not None:
        words = tuple(str(getattr(choice, "value", choice)) for choice in choices)
        return Value(bare, Kind.words, words)
    for place in (f"{command} {bare}", *parameter.opts):
        found = _PLACES.get(place)
        if isinstance(found, tuple):
            return Value(bare, Kind.words, found)
        if found is not None:
            return Value(bare, found)
    if isinstance(parameter.type, TyperPath):
        return Value(bare.upper(), Kind.files)
    if isinstance(parameter.type, (IntParamType, FloatParamType)):
        return Value({"int": "N", "float": "X"}.get(bare, bare), Kind.nothing)
    if bare in _METAVARS:
        return Value(bare, _METAVARS[bare])
    name = parameter.opts[-1] if parameter.param_type_name == "option" else bare
    raise UnknownValue(f"say in {Path(__file__).name} what {name} of `{command}` takes")
