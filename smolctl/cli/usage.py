"""What to say of a command line that Typer does not take: what is wrong with it, and what to do."""

from __future__ import annotations

import re
from typing import Any

from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    MissingParameter,
    NoSuchOption,
    UsageError,
)

_EXTRA = re.compile(r"Got unexpected extra argument\(?s?\)? \((.*)\)$", re.DOTALL)


def explained(error: UsageError) -> tuple[str, str]:
    """Return what is wrong, in a line, and what to do about it, in another.

    Typer's own words say neither which values there are nor, of a range, more than `0<=x<=65535`.
    """
    path = error.ctx.command_path if error.ctx else "smolctl"
    see = f"`{path} --help` shows how it is used."
    if isinstance(error, MissingParameter) and error.param is not None:
        return f"{_name(error.param)} is missing", _choices(error.param) or _model(error) or see
    if isinstance(error, BadParameter) and error.param is not None:
        value = error.message.partition(" is not ")[0]
        kind = _choices(error.param) or _number(error.param.type)
        return f"{_name(error.param)} is {value}", kind or see
    if isinstance(error, NoSuchOption):
        near = _begun(error) + list(error.possibilities or ())  # the likeliest first
        return f"no such option: {error.option_name}", f"Did you mean {near[0]}?" if near else see
    message = error.format_message().rstrip(".")
    if isinstance(error, BadOptionUsage):
        lacks = "requires" in message
        return f"{error.option_name} {'needs a value' if lacks else 'takes no value'}", see
    if extra := _EXTRA.match(message):
        return f"too many arguments: {extra[1]}", see
    return message[:1].lower() + message[1:], see


def _begun(error: NoSuchOption) -> list[str]:
    """Return the options that the one on the line is the beginning of: `--temp`."""
    params = error.ctx.command.params if error.ctx is not None else []
    names = (name for param in params for name in param.opts if name.startswith("--"))
    return [name for name in names if name.startswith(error.option_name)]


def _name(param: Any) -> str:
    """Return what a person calls an option or an argument: its long name, or its metavar."""
    if param.param_type_name == "option":
        return str(max(param.opts, key=len))
    return str(param.metavar or param.name).strip("[].")


def _model(error: UsageError) -> str | None:
    """Say of `run -c` alone what it lacks."""
    if error.ctx is None or not error.ctx.params.get("continue_"):
        return None
    return f"-c needs to know who answers: `{error.ctx.command_path} -c MODEL`."


def _choices(param: Any) -> str | None:
    choices = [str(getattr(each, "value", each)) for each in getattr(param.type, "choices", ())]
    return f"It must be {', '.join(choices[:-1])} or {choices[-1]}." if choices else None


def _number(type_: Any) -> str | None:
    """Return which numbers `type_` takes; None for what is no number."""
    kind = {"int": "a whole number", "float": "a number"}.get(type_.name.split()[0])
    least, most = getattr(type_, "min", None), getattr(type_, "max", None)
    if kind is None:
        return None
    if least is not None and most is not None:
        return f"It must be {kind} from {least} to {most}."
    return f"It must be {kind}." if least is None else f"It must be {kind}, {least} or more."
