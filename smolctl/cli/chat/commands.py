"""The chat's commands: one table, and what each of them does."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from smolctl.cli.chat import transcript
from smolctl.cli.chat.attachment import read_attachments
from smolctl.cli.chat.clipboard import copy
from smolctl.cli.chat.sampling_values import (
    NAMES,
    canonical,
    changed,
    differing,
    listed,
)
from smolctl.cli.output import brief, printable, printable_line
from smolctl.cli.text_file import named_path, read_text_file
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.cli.chat.chat import Chat

SWITCHES = ("verbose", "markdown")
SETTING_NAMES = (*NAMES, *SWITCHES)
"""What `/set` takes."""

_ON = frozenset({"on", "true", "yes", "1"})
_OFF = frozenset({"off", "false", "no", "0"})
_SYSTEM_BYTES = 1024 * 1024
_HELP_WIDTH = 22

_KEYS = '''
"""                   begins and ends several lines; Alt-Enter adds one
Ctrl-C                stops the answer, and keeps what came of it
Ctrl-R                searches what you typed before; up and down go through it
Ctrl-X Ctrl-E         opens the message in your editor ($VISUAL, $EDITOR)
//                    begins a message with a slash'''


class Completes(Enum):
    """What a command's argument is, for the editor to offer."""

    NOTHING = "nothing"
    SETTING = "setting"
    MODEL = "model"
    FILE = "file"


@dataclass(frozen=True)
class Command:
    """A command: its name without the slash, its argument, and its line in `/help`."""

    name: str
    argument: str
    summary: str
    act: Callable[[Chat, str], None]
    completes: Completes = Completes.NOTHING
    aliases: tuple[str, ...] = ()


def find_command(name: str) -> Command:
    """Return the command of that name. Raises `UsageError` that names the nearest."""
    for command in COMMANDS:
        if name == command.name or name in command.aliases:
            return command
    near = difflib.get_close_matches(name, COMMAND_NAMES, n=1)
    guess = f"Did you mean /{near[0]}?" if near else "/help lists what there is."
    raise UsageError(
        f"no such command: /{brief(name)}",
        hint=f"{guess} A message that begins with a slash is typed with two of them.",
    )


def _help(chat: Chat, argument: str) -> None:
    del argument
    lines = []
    for command in COMMANDS:
        shown = f"/{command.name} {command.argument}".rstrip()
        also = "".join(f", /{alias}" for alias in command.aliases)
        lines.append(f"{shown:<{_HELP_WIDTH}}{command.summary}{f' (also{also[1:]})' * bool(also)}")
    chat.output.notice("\n".join(lines) + _KEYS)


def _bye(chat: Chat, argument: str) -> None:
    del argument
    chat.leaving = True


def _clear(chat: Chat, argument: str) -> None:
    del argument
    chat.attachments = []
    chat.replace(chat.dialogue.cleared())
    chat.output.notice("The conversation is cleared; /undo brings it back.")


def _retry(chat: Chat, argument: str) -> None:
    del argument
    chat.retry()


def _undo(chat: Chat, argument: str) -> None:
    del argument
    chat.undo()


def _system(chat: Chat, argument: str) -> None:
    if not argument:
        chat.output.notice(chat.dialogue.system or "There is no system prompt.")
        return
    if argument.startswith("@@"):
        argument = argument[1:]
    elif argument.startswith("@"):
        argument = read_text_file(named_path(argument[1:]), _SYSTEM_BYTES, waits=False).strip()
    elif argument in ('""', "''"):
        argument = ""
    chat.change(chat.dialogue.with_system(argument))
    chat.output.notice(
        "The system prompt is set, from the next message on."
        if argument
        else "There is no system prompt from the next message on."
    )


def _set(chat: Chat, argument: str) -> None:
    words = argument.replace("=", " ", 1).split()
    if words and words[0] == "parameter":  # ollama's way to say it
        del words[0]
    if not words:
        switches = [f"{name:<18}{'on' if getattr(chat, name) else 'off'}" for name in SWITCHES]
        chat.output.notice("\n".join([*listed(chat.dialogue.sampling), *switches]))
        return
    name = canonical(words[0], SETTING_NAMES)
    if len(words) > 2:
        raise UsageError(f"{name} takes one value: /set {name} VALUE")
    if name in SWITCHES:
        if len(words) == 2:
            setattr(chat, name, _switched(name, words[1]))
        chat.output.notice(f"{name} is {'on' if getattr(chat, name) else 'off'}")
        return
    if len(words) == 2:
        sampling = changed(chat.dialogue.sampling, name, words[1])
        chat.dialogue = replace(chat.dialogue, sampling=sampling)
    line = next(each for each in listed(chat.dialogue.sampling) if each.split()[0] == name)
    chat.output.notice(" ".join(line.split()))


def _switched(name: str, value: str) -> bool:
    if value.lower() in _ON | _OFF:
        return value.lower() in _ON
    raise UsageError(f"{name} cannot be {brief(value)}: it is on or off")


def _show(chat: Chat, argument: str) -> None:
    del argument
    dialogue, context = chat.dialogue, chat.model.context_size
    turns = f"{len(dialogue.turns)}"
    if dialogue.forgotten:
        turns += f", of which the oldest {dialogue.forgotten} have no room in the context"
    size = "unknown" if context is None else f"{context} tokens"
    used = "" if chat.used_tokens is None else f", {chat.used_tokens} of them used"
    rows = {
        "model": printable_line(chat.model.name),
        "context": size + (used if context else used.replace(" of them", " tokens")),
        "turns": turns,
        "system": dialogue.system or "none",
        "sampling": differing(dialogue.sampling),
        "session": chat.record.name or "none",
        "files": ", ".join(each.name for each in chat.attachments) or "none",
    }
    chat.output.notice("\n".join(f"{name:<10}{value}" for name, value in rows.items()))


def _model(chat: Chat, argument: str) -> None:
    if not argument:
        chat.output.notice(chat.model.name)
        return
    chat.switch_model(argument)


def _save(chat: Chat, argument: str) -> None:
    path = named_path(_needed(argument, "/save FILE"))
    _write(chat, argument, over=chat.file is not None and chat.file == path.absolute())


def _save_over(chat: Chat, argument: str) -> None:
    _write(chat, _needed(argument, "/save! FILE"), over=True)


def _write(chat: Chat, argument: str, *, over: bool) -> None:
    if not chat.dialogue.messages:
        raise UsageError("there is nothing to save yet")
    path = named_path(argument)
    transcript.save(path, chat.model.name, chat.dialogue, replace=over)
    chat.file = path.absolute()
    chat.output.notice(f"Saved to {path}.")


def _load(chat: Chat, argument: str) -> None:
    path = named_path(_needed(argument, "/load FILE"))
    loaded = transcript.load(path, chat.dialogue.sampling)
    anything = bool(chat.dialogue.turns)
    chat.replace(loaded)
    chat.file = path.absolute()
    undo = "; /undo goes back to what was here" if anything else ""
    chat.output.notice(f"Loaded {_counted(len(loaded.turns), 'turn')} of {path}{undo}.")
    chat.show_last_turn()


def _file(chat: Chat, argument: str) -> None:
    if argument == "-":
        chat.attachments = []
    elif argument:
        for each in read_attachments(argument):
            chat.attachments.append(each)
    if not chat.attachments:
        chat.output.notice("No files go with the next message; /file PATH adds one.")
        return
    lines = [
        f"{printable_line(each.name)}: {_counted(each.lines, 'line')},"
        f" {_counted(len(each.text), 'letter')}: {brief(each.text)}"
        for each in chat.attachments
    ]
    lines.append("They go with the next message; /file - drops them.")
    if not chat.holds(sum(len(each.text) for each in chat.attachments)):
        lines.append(
            f"That may be more than the context of {chat.model.context_size} tokens holds."
        )
    chat.output.notice("\n".join(lines))


def _stats(chat: Chat, argument: str) -> None:
    del argument
    chat.output.notice("\n".join(chat.statistics) or "There is no answer yet.")


def _copy(chat: Chat, argument: str) -> None:
    del argument
    if not chat.dialogue.turns:
        raise UsageError("there is no answer to copy")
    chat.output.notice(copy(printable(chat.dialogue.turns[-1].answer)))


def _needed(argument: str, usage: str) -> str:
    if not argument:
        raise UsageError(f"a file is missing: {usage}")
    return argument


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


COMMANDS = (
    Command("help", "", "shows this", _help, aliases=("?",)),
    Command("bye", "", "leaves; so does Ctrl-D", _bye, aliases=("exit", "quit")),
    Command("clear", "", "forgets the conversation", _clear),
    Command("retry", "", "has the last question answered again", _retry),
    Command("undo", "", "takes the last question and answer back", _undo),
    Command("system", "TEXT", 'sets the system prompt, @FILE, or "" for none', _system),
    Command(
        "set", "NAME VALUE", "changes a setting, or lists them", _set, completes=Completes.SETTING
    ),
    Command("show", "", "shows the model, its context, and what is set", _show),
    Command(
        "model", "MODEL", "goes on with another model", _model, completes=Completes.MODEL
    ),
    Command(
        "save", "FILE", "saves the conversation as JSON; again, over its own file", _save,
        completes=Completes.FILE,
    ),
    Command(
        "save!", "FILE", "the same, over any file that is there", _save_over,
        completes=Completes.FILE,
    ),
    Command("load", "FILE", "goes on with a saved one", _load, completes=Completes.FILE),
    Command(
        "file", "PATH", "sends the text of a file with the next message", _file,
        completes=Completes.FILE,
    ),
    Command("stats", "", "tells how fast the last answer was", _stats),
    Command("copy", "", "copies the last answer to the clipboard", _copy),
)  # fmt: skip
COMMAND_NAMES = tuple(name for each in COMMANDS for name in (each.name, *each.aliases))
