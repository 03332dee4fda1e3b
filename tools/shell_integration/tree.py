"""The command line as data: commands with their arguments, options, help and examples.

It is read from the application that answers `--help`, so that completions and man pages say what
the command does.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shell_integration.values import Value, read_value
from smolctl.cli.app import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click import Command as ClickCommand
    from typer._click import Context, Parameter

    from smolctl.cli.app import Group


@dataclass(frozen=True)
class Argument:
    """A positional argument. `help` has its default in it, as `--help` shows it."""

    value: Value
    help: str
    required: bool
    repeats: bool

    @property
    def usage(self) -> str:
        """How it stands in a line that shows the usage: `[PROMPT]...`."""
        name = self.value.metavar if self.required else f"[{self.value.metavar}]"
        return f"{name}..." if self.repeats else name


@dataclass(frozen=True)
class Option:
    """An option under all its names; `value` is None for one that is on or off.

    `summary` is what it does, `help` has the default in it as well.
    """

    names: tuple[str, ...]
    value: Value | None
    summary: str
    help: str
    repeats: bool


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands.

    `path` are the words that lead there, `smolctl` the first. `default` is the command of a group
    that is meant when none is named.
    """

    path: tuple[str, ...]
    summary: str
    paragraphs: tuple[str, ...]
    aliases: tuple[str, ...]
    arguments: tuple[Argument, ...]
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...]
    commands: tuple[Command, ...]
    default: str | None = None

    @property
    def name(self) -> str:
        """The command as it is typed: `smolctl model run`."""
        return " ".join(self.path)

    @property
    def own_options(self) -> tuple[Option, ...]:
        """The options that may follow, those of the default command among them."""
        extra = next((each.options for each in self.commands if each.path[-1] == self.default), ())
        known = {option.names for option in self.options}
        return (*(option for option in extra if option.names not in known), *self.options)

    def walk(self) -> Iterator[Command]:
        """Yield the command and all below it, in the order of the help."""
        yield self
        for command in self.commands:
            yield from command.walk()


def read_commands() -> Command:
    """Return the whole tree. Raises `UnknownValue` for a parameter that nobody described."""
    command = application()
    context = command.make_context("smolctl", [], resilient_parsing=True)
    return _command(command, context, ("smolctl",), "", ())


def _command(
    command: ClickCommand,
    context: Context,
    path: tuple[str, ...],
    summary: str,
    aliases: tuple[str, ...],
) -> Command:
    name = " ".join(path)
    parameters = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    paragraphs = _paragraphs(command.help or "")
    return Command(
        path=path,
        summary=summary or (paragraphs[0] if paragraphs else ""),
        paragraphs=paragraphs,
        aliases=aliases,
        arguments=tuple(
            _argument(each, context, name)
            for each in parameters
            if each.param_type_name == "argument"
        ),
        options=tuple(
            _option(each, context, name) for each in parameters if each.param_type_name == "option"
        ),
        examples=tuple(getattr(command, "examples", ())),
        commands=tuple(_below(command, context, path)),
        default=getattr(getattr(command, "group", None), "default", None),
    )


def _below(command: ClickCommand, context: Context, path: tuple[str, ...]) -> Iterator[Command]:
    group: Group | None = getattr(command, "group", None)
    if group is None:
        return
    for name, line in group.verbs.items():
        found = command.get_command(context, name)  # type: ignore[attr-defined] # it is a group
        below = found.make_context(name, [], parent=context, resilient_parsing=True)
        aliases = tuple(alias for alias, verb in group.aliases.items() if verb == name)
        yield _command(found, below, (*path, name), line.summary, aliases)


def _argument(parameter: Parameter, context: Context, command: str) -> Argument:
    shown, text = parameter.get_help_record(context) or (parameter.make_metavar(context), "")
    return Argument(
        value=read_value(parameter, command, shown),
        help=text.replace("  [required]", "").strip(),
        required=parameter.required,
        repeats=parameter.nargs == -1,
    )


def _option(parameter: Parameter, context: Context, command: str) -> Option:
    _, text = parameter.get_help_record(context) or ("", "")
    takes_none = getattr(parameter, "is_flag", False) or getattr(parameter, "count", False)
    return Option(
        names=tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len)),
        value=None
        if takes_none
        else read_value(parameter, command, parameter.make_metavar(context)),
        summary=" ".join((getattr(parameter, "help", None) or "").split()),
        help=_with_range(" ".join(text.split())),
        repeats=bool(getattr(parameter, "multiple", False)),
    )


def _with_range(text: str) -> str:
    """Return `text` with the range of a number in words: Typer writes `0<=x<=64`, or `x>=0`."""
    text = re.sub(r"(\d+)<=x<=(\d+)\]$", r"\1 to \2]", text)
    return re.sub(r"x>=(\d+)\]$", r"at least \1]", text)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n") if part)
