"""The line editor: history, several lines, completion, on prompt_toolkit."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import get_app
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import PromptSession

from smolctl.cli.chat.completion import ChatCompleter
from smolctl.cli.chat.typed import is_open

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

    from prompt_toolkit.application import Application
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyPressEvent
    from prompt_toolkit.output import Output as Screen

    from smolctl.cli.chat.commands import Command
    from smolctl.cli.chat.input_history import InputHistory
    from smolctl.cli.output import Output

_MENU_ROWS = 6


class Editor:
    """Reads messages with prompt_toolkit. `keys` and `screen` are the terminal's without them."""

    lines = False

    def __init__(
        self,
        output: Output,
        commands: Sequence[Command],
        history: InputHistory | None,
        *,
        keys: Input | None = None,
        screen: Screen | None = None,
    ) -> None:
        self._session: PromptSession[str] = PromptSession(
            multiline=True,
            history=_History(output, history),
            completer=ChatCompleter(commands),
            complete_in_thread=True,
            # A message is no command: the menu, and the rows kept free for it, would be in its way.
            complete_while_typing=Condition(_is_command),
            reserve_space_for_menu=_MENU_ROWS,
            enable_suspend=True,
            prompt_continuation=_continuation,
            key_bindings=_bindings(),
            tempfile_suffix=".md",
            include_default_pygments_style=False,
            input=keys,
            output=screen or _terminal(),
        )

    def read(self, prompt: str) -> str:
        """Return the next message. A SIGTERM meanwhile leaves the terminal as it was."""
        with _terminated_in_order(self._session.app):
            return self._session.prompt(prompt)


class _History(History):
    """What was typed: in this chat, and in earlier ones where a file keeps it."""

    def __init__(self, output: Output, file: InputHistory | None) -> None:
        super().__init__()
        self._output = output
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        """Return what the file has, the newest first."""
        if self._file is None:
            return []
        try:
            self._file.trim()
            return reversed(self._file.load())
        except OSError as error:
            self._give_up(error)
            return []

    def store_string(self, string: str) -> None:
        """Add to the file what was typed."""
        if self._file is None or not string.strip():
            return
        try:
            self._file.add(string)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._file = None
        self._output.notice(f"What you type is not kept for later chats: {error.strerror}.")


def _bindings() -> KeyBindings:
    bindings = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)

    @bindings.add("enter", filter=typing)
    def send(event: KeyPressEvent) -> None:
        if is_open(event.current_buffer.text):
            event.current_buffer.newline(copy_margin=False)
        else:
            event.current_buffer.validate_and_handle()

    @bindings.add("escape", "enter", filter=typing)
    def add_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @bindings.add("c-c", filter=typing)
    @bindings.add("<sigint>")
    def clear(event: KeyPressEvent) -> None:
        if event.app.current_buffer.text:
            event.app.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @bindings.add("c-x", "c-e", filter=typing)
    def edit(event: KeyPressEvent) -> None:
        # What was edited is shown, and Enter sends it: a message cannot be taken back.
        event.current_buffer.open_in_editor(validate_and_handle=False)

    return bindings


def _is_command() -> bool:
    return bool(get_app().current_buffer.text.startswith("/"))


def _continuation(width: int, line: int, wrapped: int) -> str:
    del line, wrapped
    return "." * (width - 1) + " "


def _terminal() -> Screen:
    screen = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
    # Asking where the cursor is brings little here, and a warning from a terminal that says
    # nothing; one that is slow to say it writes into what is typed next.
    screen.enable_cpr = False
    return screen


@contextmanager
def _terminated_in_order(app: Application[Any]) -> Iterator[None]:
    """Have a SIGTERM end the prompt first, and then be what it was.

    What a signal raises in a callback, asyncio logs and forgets.
    """
    before = signal.getsignal(signal.SIGTERM)
    received: list[tuple[int, FrameType | None]] = []

    def end() -> None:
        if app.future is not None and not app.future.done():
            app.exit(exception=EOFError)

    def terminate(signum: int, frame: FrameType | None) -> None:
        received.append((signum, frame))
        if app.loop is not None:
            app.loop.call_soon_threadsafe(end)
        elif callable(before):
            before(signum, frame)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if received and callable(before):
            before(*received[0])
