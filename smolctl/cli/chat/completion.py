"""What the editor offers while a command is typed: commands, settings, models, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prompt_toolkit.completion import Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from smolctl.cli.chat.commands import SETTING_NAMES, Completes
from smolctl.cli.complete import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prompt_toolkit.completion import CompleteEvent

    from smolctl.cli.chat.commands import Command


class ChatCompleter(Completer):
    """Completes commands and their arguments; a message is left alone."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = {command.name: command for command in commands}
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Return what may stand at the cursor."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, argument = text[1:].partition(" ")
        if not space:
            yield from self._names(name)
            return
        command = self._commands.get(name)
        kind = Completes.NOTHING if command is None else command.completes
        argument = argument.lstrip()
        if kind is Completes.SETTING and " " not in argument:
            yield from _beginning_with(argument.replace("-", "_"), SETTING_NAMES, " ")
        elif kind is Completes.MODEL and " " not in argument:
            names = [name for name, _ in names_of("models", argument)]
            yield from _beginning_with(argument, names, "")
        elif kind is Completes.FILE:
            yield from self._paths.get_completions(Document(argument), complete_event)

    def _names(self, beginning: str) -> Iterable[Completion]:
        for name, command in self._commands.items():
            if name.startswith(beginning):
                yield Completion(
                    f"/{name}" + (" " if command.argument else ""),
                    start_position=-len(beginning) - 1,
                    display=f"/{name}",
                    display_meta=command.summary,
                )


def _beginning_with(beginning: str, names: Sequence[str], after: str) -> Iterable[Completion]:
    for name in names:
        if name.startswith(beginning):
            yield Completion(name + after, start_position=-len(beginning), display=name)
