"""What is typed while the terminal is written to."""

from __future__ import annotations

import os
import pty
import termios
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from smolctl.cli.echo import Echo

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stream:
        yield stream
    os.close(ours)


def flags(terminal: TextIO) -> tuple[bool, bool, bool]:
    """Whether it shows what is typed, makes lines of it, and makes a newline of Enter."""
    attributes = termios.tcgetattr(terminal)
    local, input_ = attributes[3], attributes[0]
    return bool(local & termios.ECHO), bool(local & termios.ICANON), bool(input_ & termios.ICRNL)


def test_keys_are_kept_as_they_were_typed_until_it_is_restored(terminal: TextIO) -> None:
    echo = Echo(terminal, keys=True)
    before = termios.tcgetattr(terminal)

    assert echo.off()
    assert echo.off()  # once more changes nothing
    assert flags(terminal) == (False, False, False)
    assert echo.restore()
    assert termios.tcgetattr(terminal) == before
    assert not echo.restore()


def test_lines_stay_lines(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())

    assert Echo(terminal).off()

    assert flags(terminal) == (False, True, True)


def test_a_process_in_the_background_leaves_the_terminal_alone(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)

    assert not Echo(terminal).off()

    assert flags(terminal) == (True, True, True)


def test_a_file_is_no_terminal() -> None:
    with Path(os.devnull).open() as file:
        echo = Echo(file, keys=True)
        assert not echo.off()
        assert not echo.restore()
