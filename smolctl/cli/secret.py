"""Asking a person for a line on the terminal that is standard input, with or without an echo."""

from __future__ import annotations

import sys
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

from smolctl.cli.echo import LOCAL_FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smolctl.cli.output import Output


def ask(question: str, output: Output) -> str:
    """Ask on stderr, so that stdout carries the answer alone; empty at the end of the input."""
    output.aside(question)
    return _line()


def ask_secret(question: str, output: Output) -> str:
    """Ask as `ask` does, and show nothing of what is typed.

    `getpass` is of no use here: it reads from the controlling terminal, which need not be the one
    that is standard input.
    """
    with _no_echo():
        output.aside(question)
        line = _line()
    output.aside("\n")  # the one that was typed was not shown either
    return line


def _line() -> str:
    return sys.stdin.buffer.readline().decode(errors="surrogateescape").rstrip("\r\n")


@contextmanager
def _no_echo() -> Iterator[None]:
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    quiet = [*before]
    quiet[LOCAL_FLAGS] &= ~termios.ECHO
    # What was typed too early was shown: it is thrown away, so that nobody takes it for secret.
    termios.tcsetattr(handle, termios.TCSAFLUSH, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
