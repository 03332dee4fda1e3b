"""Record a session of the real command into `docs/terminal.svg`: `make recording`.

A shell in a pseudo-terminal is typed into, as a person would; a terminal emulator keeps what it
draws, and rich exports that as a picture. The model is the demo model, from a registry on loopback.
"""

from __future__ import annotations

import codecs
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from smolctl.demo.artifact import publish
from smolctl.registry.sharing.server import serving
from smolctl.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyte.screens import Char

PICTURE = Path(__file__).parent.parent / "docs" / "terminal.svg"
COLUMNS, LINES = 100, 48
LIMIT_SECONDS = 60.0

SHELL_PROMPT = "$ "
CHAT_PROMPT = "> "
STEPS = (
    (SHELL_PROMPT, "smolctl model variants demo/smolctl-demo\r"),
    (SHELL_PROMPT, "smolctl model pull demo/smolctl-demo\r"),
    (SHELL_PROMPT, "smolctl model ls\r"),
    (SHELL_PROMPT, 'smolctl model run demo/smolctl-demo "What is the capital of France?"\r'),
    (SHELL_PROMPT, "smolctl model run demo/smolctl-demo 'Summarize:' < story.txt\r"),
    (SHELL_PROMPT, "smolctl model run demo/smolctl-demo --json 'What is 2 + 2?' | jq -r .text\r"),
    (SHELL_PROMPT, "smolctl model run demo/smolctl-demo\r"),
    (CHAT_PROMPT, "What is the capital of Italy?\r"),
    (CHAT_PROMPT, "Who are you?\r"),
    (CHAT_PROMPT, "/bye\r"),
    (SHELL_PROMPT, ""),
)
"""What the last line must begin with before the next keys are typed, and the keys."""


STORY = "Anna baked a cake for her brother. The cake was sweet. Everybody liked it.\n"


class Terminal:
    """A shell in a pseudo-terminal, and the screen that it has drawn."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.child, self._terminal = pty.fork()
        if self.child == 0:
            os.chdir(folder)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], environment)  # noqa: S606
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        # The emulator answers questions as a terminal does: where the cursor is, what it can do.
        self.screen.write_process_input = self.type

    def type(self, keys: str) -> None:
        """Send `keys`, as a keyboard does."""
        os.write(self._terminal, keys.encode())

    def wait(self, until: Callable[[], bool]) -> None:
        """Draw what comes until `until()` holds. Raises `TimeoutError` after a minute."""
        end = time.monotonic() + LIMIT_SECONDS
        while not until():
            if not select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("\n".join(self.screen.display))
            self._stream.feed(self._decoder.decode(os.read(self._terminal, 65536)))

    def line(self) -> str:
        """Return the line that the cursor is in, up to the cursor."""
        line: str = self.screen.display[self.screen.cursor.y]
        return line[: self.screen.cursor.x]


def record(environment: dict[str, str], folder: Path) -> Text:
    """Type all steps, and return what the screen shows at their end."""
    terminal = Terminal(environment, folder)
    for prompt, keys in STEPS:
        terminal.wait(lambda: terminal.line() == prompt)  # noqa: B023 - called here only
        terminal.type(keys)
        terminal.wait(lambda: terminal.line() != prompt or not keys)  # noqa: B023
    os.kill(terminal.child, signal.SIGHUP)
    os.waitpid(terminal.child, 0)
    return _text(terminal.screen)


def _text(screen: pyte.Screen) -> Text:
    """Return the screen's characters with their styles, without the empty lines at its end."""
    text = Text()
    for y in range(LINES):
        row = [screen.buffer[y][x] for x in range(COLUMNS)]
        for style, cells in groupby(row, _style):
            text.append("".join(cell.data for cell in cells), style)
        text.append("\n")
    text.rstrip()
    return text


def _style(cell: Char) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str:
    """Return pyte's name of a colour as rich has it."""
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


def main() -> None:
    """Record, and write the picture."""
    with tempfile.TemporaryDirectory(prefix="smolctl-") as temporary:
        folder = Path(temporary)
        registry = Store(folder / "registry")
        publish(registry)
        (folder / "home").mkdir()
        (folder / "story.txt").write_text(STORY, encoding="utf-8")
        with serving(registry) as host:
            text = record(
                {
                    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                    "HOME": str(folder / "home"),
                    "SMOLCTL_HOME": str(folder / "models"),
                    "SMOLCTL_DEFAULT_REGISTRY": host,
                    "SMOLCTL_KEEP_ALIVE": "5s",
                    "XDG_RUNTIME_DIR": temporary,
                    "TERM": "xterm-256color",
                    "LANG": "C.UTF-8",
                    "PS1": SHELL_PROMPT,
                },
                folder,
            )
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(text, soft_wrap=True)
    PICTURE.parent.mkdir(exist_ok=True)
    # Whoever looks at a picture need not ask another host for its letters.
    picture = re.sub(
        r"@font-face \{.*?\}\s*", "", console.export_svg(title="smolctl"), flags=re.DOTALL
    )
    PICTURE.write_text(picture, encoding="utf-8")
    print(PICTURE, file=sys.stderr)


if __name__ == "__main__":
    main()
