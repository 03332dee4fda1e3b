"""The tree of commands. A verb's module is imported only when that verb is used.

Each verb's module has a function `command`, whose signature is the verb's arguments and flags
(Typer reads it), and `EXAMPLES` that its help ends with. A group has a table of verbs of its own.
"""

from __future__ import annotations

import difflib
import gc
import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from typer._click.core import Command, augment_usage_errors
from typer._click.exceptions import UsageError
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from smolctl import __version__
from smolctl.errors import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typer._click import Context, HelpFormatter, Parameter

    from smolctl.cli.output import Output

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_DEBUG_HELP = "Show tracebacks, and the log of llama.cpp."


class Verb(NamedTuple):
    """One line of the table of commands: the module behind a name, and what its help says."""

    module: str
    summary: str


class Group:
    """A line of the table that has a table of its own.

    `aliases` are other names for its verbs, `headings` what its help writes above some of them.
    `default` is the verb that is meant when none is named; without one, the help is shown then.
    """

    def __init__(
        self,
        summary: str,
        verbs: Mapping[str, Verb | Group],
        aliases: Mapping[str, str] | None = None,
        headings: Mapping[str, str] | None = None,
        default: str | None = None,
    ) -> None:
        self.summary = summary
        self.verbs = verbs
        self.aliases = aliases or {}
        self.headings = headings or {}
        self.default = default


LOG_VERBS: Mapping[str, Verb] = {
    "on": Verb("history.logs_on", "Keep each prompt and reply from now on."),
    "off": Verb("history.logs_off", "Keep no more; what is kept stays."),
    "status": Verb("history.logs_status", "Show whether the log is on, and what is in it."),
    "path": Verb("history.logs_path", "Print where the log is."),
    "list": Verb("history.logs_list", "Show the last prompts and replies (also: ls)."),
    "rm": Verb("history.logs_rm", "Delete what was kept (also: remove)."),
}
SESSION_VERBS: Mapping[str, Verb] = {
    "ls": Verb("history.sessions_ls", "List the conversations (also: list)."),
    "show": Verb("history.sessions_show", "Show what was said in one."),
    "rm": Verb("history.sessions_rm", "Delete conversations (also: remove)."),
}
MODEL_VERBS: Mapping[str, Verb | Group] = {
    "run": Verb("run", "Run a model: answer a prompt, or chat on a terminal."),
    "batch": Verb("batch", "Answer many prompts with one model, several at once."),
    "sessions": Group(
        "Conversations that `run` goes on with.", SESSION_VERBS, {"list": "ls", "remove": "rm"}
    ),
    "ps": Verb("ps", "List the models that are loaded, and until when."),
    "unload": Verb("unload", "Have models leave the memory (also: stop)."),
    "logs": Verb("logs", "Show the log of a model's process."),
    "status": Verb("status", "Show what runs, and where things are."),
    "bench": Verb("bench", "Measure how fast a model is on this machine."),
    "pull": Verb("pull", "Bring a model from its registry to this machine."),
    "search": Verb("search", "Search for models on Docker Hub, or in a registry."),
    "variants": Verb("variants", "List the variants of a model that its registry has."),
    "card": Verb("card", "Show a model's card: what it is, what it is for, its variants."),
    "ls": Verb("ls", "List the models that are here (also: list)."),
    "inspect": Verb("inspect", "Show everything about a model (also: show)."),
    "resolve": Verb("resolve", "Print the path of a model's GGUF file, for other tools."),
    "tag": Verb("tag", "Give a model another name."),
    "rm": Verb("rm", "Remove a name; the model goes with its last name."),
    "df": Verb("df", "Show what the models take of the disk."),
    "prune": Verb("prune", "Delete from the cache what no model needs."),
    "verify": Verb("verify", "Hash what is here again, and mend what is damaged."),
    "package": Verb("package", "Make a model of a GGUF file, or of a model that is here."),
    "push": Verb("push", "Send a model to its registry."),
    "cp": Verb("cp", "Copy a model from one registry to another."),
    "save": Verb("save", "Write models to a tar, for machines without a network."),
    "load": Verb("load", "Take models in from a tar, or from an OCI image layout."),
}
MODEL_HEADINGS = {
    "run": "Run",
    "pull": "Find and fetch",
    "ls": "What is here",
    "package": "Publish and carry",
}
"""What the help writes above a verb and those that follow it."""

ALIASES = {"list": "ls", "show": "inspect", "stop": "unload"}
TOP_VERBS: Mapping[str, Verb | Group] = {
    "model": Group(
        "Work with models: run, pull, list, remove.", MODEL_VERBS, ALIASES, MODEL_HEADINGS
    ),
    "serve": Verb("serve", "Serve all models over HTTP: OpenAI's API, on port 12434."),
    "share": Verb("share", "Serve the models that are here as a registry for other machines."),
    "login": Verb("login", "Log in to a registry, Docker Hub by default."),
    "logout": Verb("logout", "Forget the credentials for a registry."),
    "logs": Group(
        "Prompts and replies, kept when it is on; off at first.",
        LOG_VERBS,
        {"ls": "list", "remove": "rm"},
        default="list",
    ),
    "completion": Verb("completion", "Print the script that completes commands in a shell."),
    "demo": Verb("demo", "Pull and run a small demo model, from a registry on loopback."),
    "version": Verb("version", "Print the versions of smolctl and of what it runs on."),
}


def verbs_below(
    table: Mapping[str, Verb | Group], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Verb]]:
    """Yield every verb of a table and of the groups in it, with the words that lead there."""
    for name, line in table.items():
        if isinstance(line, Group):
            yield from verbs_below(line.verbs, (*path, name))
        else:
            yield (*path, name), line


class _Told(Command):
    """What commands and groups share: mistakes are told with the command that they are about."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Take the arguments in; an error says of which command they are."""
        with augment_usage_errors(ctx):
            return super().parse_args(ctx, args)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return the flag for help, which is printed as any answer is."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option


class _Verb(_Told, TyperCommand):
    """A command whose help ends with examples, and which takes the flags that all take."""

    examples: tuple[tuple[str, str], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_eager_flag("--debug", _DEBUG_HELP, _show_more))

    def invoke(self, ctx: Context) -> Any:
        """Run the command; from here on Python looks for garbage, but not in what imports made."""
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the usage's words; Typer's braces around what is required look like a choice."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples as they stand, each under the comment that says what it does."""
        del ctx
        if not self.examples:
            return
        formatter.write("\nExamples:\n")
        for comment, line in self.examples:
            formatter.write(f"  # {comment}\n  {line}\n")


class _Verbs(_Told, TyperGroup):
    """A group that finds its commands in a table and imports each when it is asked for."""

    group: Group

    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands in the table's order: the most used come first."""
        del ctx
        return [*self.group.verbs]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Import and return the command, under its own name or an alias."""
        del ctx
        found = self.group.verbs.get(self.group.aliases.get(cmd_name, cmd_name))
        if isinstance(found, Group):
            return _load_group(found, cmd_name)
        return _load(found, cmd_name) if found else None

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Take the arguments in; where no verb is named, those of the default one."""
        named = bool(args) and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        if self.group.default is not None and not named:
            args = [self.group.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Find the command, or fail with the one that was probably meant."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            path = ctx.command_path
            if self.group.verbs is TOP_VERBS and ALIASES.get(name, name) in MODEL_VERBS:
                raise UsageError(f"did you mean `{path} model {name}`?", ctx)
            known = [*self.group.verbs, *self.group.aliases]
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"; did you mean `{path} {near[0]}`?" if near else ""
            raise UsageError(f"no such command: {name}{guess}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the summaries from the table, so that help imports no verb."""
        del ctx
        width = max(len(name) for name in self.group.verbs)
        parts: list[tuple[str, list[tuple[str, str]]]] = []
        for name, line in self.group.verbs.items():
            if not parts or name in self.group.headings:
                parts.append((self.group.headings.get(name, "Commands"), []))
            parts[-1][1].append((name.ljust(width), line.summary))
        for heading, lines in parts:
            with formatter.section(heading):
                formatter.write_dl(lines)


class _TopVerbs(_Verbs):
    group = Group("Pull language models packaged as OCI artifacts and run them.", TOP_VERBS)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write what each exit code means."""
        del ctx
        formatter.write("\nExit codes:\n")
        for code, meaning in EXIT_CODES.items():
            formatter.write(f"  {code:>3}  {meaning}\n")


def application() -> Command:
    """Return the whole command line, ready to be run with an `Output` as its context object."""
    top = typer.Typer(
        cls=_TopVerbs,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=_CONTEXT,
        help="Pull language models packaged as OCI artifacts and run them on llama.cpp.",
    )
    top.callback()(_nothing)
    made = get_command(top)
    made.params += [
        _eager_flag("--version", "Print the version and leave.", _show_version),
        _eager_flag("--debug", _DEBUG_HELP, _show_more),
    ]
    return made


@cache
def _load_group(group: Group, name: str) -> Command:
    meant = f" Without a command: {group.default}." if group.default is not None else ""
    app = typer.Typer(
        cls=type("_ShownVerbs", (_Verbs,), {"group": group}),
        name=name,
        add_completion=False,
        no_args_is_help=group.default is None,
        rich_markup_mode=None,
        context_settings=_CONTEXT,
        help=f"{group.summary}{meant}",
    )
    app.callback()(_nothing)
    return get_command(app)


def _nothing() -> None:
    pass


@cache  # asked for twice on the way to a command, and many flags take milliseconds to read
def _load(verb: Verb, name: str) -> Command:
    module = importlib.import_module(f"smolctl.cli.{verb.module}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_CONTEXT)
    shown = type("_ShownVerb", (_Verb,), {"examples": module.EXAMPLES})
    app.command(name=name, cls=shown, help=module.command.__doc__)(module.command)
    return get_command(app)


def _eager_flag(name: str, text: str, act: Callable[[Context], None]) -> TyperOption:
    """Return a flag that `act` takes care of, before anything else on the line is looked at."""

    def take(ctx: Context, _: Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            act(ctx)

    return TyperOption(
        param_decls=[name],
        is_flag=True,
        default=False,
        expose_value=False,
        is_eager=True,
        callback=take,
        help=text,
    )


def _output(ctx: Context) -> Output:
    output: Output = ctx.find_root().obj
    return output


def _show_version(ctx: Context) -> None:
    _output(ctx).line(f"smolctl {__version__}")
    raise typer.Exit


def _show_more(ctx: Context) -> None:
    _output(ctx).debug = True


def _show_help(ctx: Context, _: Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _output(ctx).line(ctx.get_help())
        raise typer.Exit
