"""Putting text on the clipboard: with the desktop's own program, or through the terminal."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys

from smolctl.errors import UsageError

_PROGRAMS = (
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("pbcopy",),
)
_LIMIT_SECONDS = 2.0
_TERMINAL_BYTES = 74_994
"""xterm takes no more in one OSC 52, as base64 100,000 bytes with what is around it."""


def copy(text: str) -> str:
    """Put `text` on the clipboard, and return what was done, for a person.

    A program that has no desktop to talk to fails, and the next one is tried. The terminal is
    told with OSC 52 (xterm's control sequences), which also works over SSH; whether it obeyed
    nobody says. Raises `UsageError` when it is too much for that.
    """
    content = text.encode("utf-8", "replace")
    for program in _PROGRAMS:
        if shutil.which(program[0]) and _ran(program, content):
            return f"Copied with {program[0]}."
    if len(content) > _TERMINAL_BYTES:
        raise UsageError(
            "the answer is too long for the terminal's clipboard",
            hint="wl-copy, xclip or pbcopy would take it; /save keeps it in a file.",
        )
    sys.stdout.write(f"\x1b]52;c;{base64.b64encode(content).decode()}\a")
    sys.stdout.flush()
    return "Sent to the terminal's clipboard (OSC 52, which some terminals ignore)."


def _ran(program: tuple[str, ...], content: bytes) -> bool:
    try:
        # No pipe but its input: what these leave in the background would hold it open.
        done = subprocess.run(
            program,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
