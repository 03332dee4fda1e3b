"""How the next message is read: with an editor, or plainly where the terminal is too dumb."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Protocol

from smolctl.cli.chat.typed import is_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from smolctl.cli.chat.commands import Command
    from smolctl.cli.chat.input_history import InputHistory
    from smolctl.cli.output import Output


class LineReader(Protocol):
    """Reads what a person types."""

    @property
    def lines(self) -> bool:
        """Whether it reads the lines that the terminal makes, and not each key."""

    def read(self, prompt: str) -> str:
        """Return the next message, of one line or several.

        Raises `EOFError` when the person leaves, and `KeyboardInterrupt` for Ctrl-C where there
        is nothing to clear.
        """


class PlainReader:
    """Reads lines with nothing but what the terminal itself offers."""

    lines = True

    def read(self, prompt: str) -> str:
        """Return the next line, or the lines of a block."""
        try:
            text = input(prompt)
            while is_open(text):
                text += "\n" + input()
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            raise
        return text


def line_reader(
    output: Output, commands: Sequence[Command], history: InputHistory | None
) -> LineReader:
    """Return the editor, which offers `commands`; on a dumb terminal, what reads plain lines."""
    if not output.stdout_is_screen:
        return PlainReader()
    from smolctl.cli.chat.editor import Editor

    return Editor(output, commands, history)


def prepare(output: Output) -> None:
    """Begin to import the editor, which takes a while, beside whatever is waited for next."""
    if output.stdout_is_screen:
        threading.Thread(target=_import_editor, daemon=True).start()


def _import_editor() -> None:
    import prompt_toolkit.shortcuts  # noqa: F401 - what takes the time
