"""What reaches the terminal: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from smolctl.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CONTROL = (
    # C0 without tab and newline, DEL and C1, the marks that reorder the text around them, and
    # the halves of surrogate pairs, which JSON can carry and no stream can.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

_SECOND_COLUMN = r" *\S+(?: \S+)* {2,}(?=\S)"
"""Begins a row of two columns: what a command is called, say, and what it does."""

GAP = "   "
"""What is between two columns of a table."""

_NARROWEST = 20
"""Columns below which nothing is gained by breaking lines between words."""


def printable(text: str) -> str:
    """Return `text` without control characters and bidirectional marks; tab and newline stay.

    Text from a registry or a model could otherwise move the cursor, set the window's title or
    answer on the keyboard's behalf.
    """
    return re.sub(_CONTROL, "", text)


def printable_line(text: str) -> str:
    """Return `text` as `printable` does, on one line."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text  # the most of what a long table has
    return " ".join(printable(text).split())


def brief(text: str, letters: int = 40) -> str:
    """Return the beginning of `text` on one line, with a `…` in it where more follows."""
    line = printable_line(text[: 4 * letters])
    if len(line) <= letters and len(text) <= 4 * letters:
        return line
    return f"{line[: letters - 1].rstrip()}…"


class Output:
    """The two streams, and how to write to each. `debug` adds what developers want to see."""

    def __init__(self, *, debug: bool = False) -> None:
        self.debug = debug
        self._interrupted_note: str | None = None

    @property
    def stdout_is_terminal(self) -> bool:
        """Whether a person reads stdout."""
        return _is_terminal(sys.stdout)

    @property
    def stderr_is_terminal(self) -> bool:
        """Whether a person reads stderr, so that progress may be drawn there."""
        return _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"

    @property
    def stdout_is_screen(self) -> bool:
        """Whether a person reads stdout on a terminal that can be drawn on."""
        return self.stdout_is_terminal and os.environ.get("TERM") not in ("dumb", "unknown")

    @property
    def columns(self) -> int:
        """How wide the terminal is that a person reads stdout on; 0 where there is none.

        One that does not say is taken for the usual 80.
        """
        return (_columns(sys.stdout) or 80) if self.stdout_is_terminal else 0

    @property
    def colour(self) -> bool:
        """Whether the person wants colours. Source: no-color.org."""
        return not os.environ.get("NO_COLOR")

    @property
    def has_signs(self) -> bool:
        """Whether stdout can carry signs that ASCII lacks."""
        return "utf" in (sys.stdout.encoding or "").lower()

    def line(self, text: str = "") -> None:
        """Print a line of the answer."""
        self._stdout(f"{printable(text)}\n")

    def path(self, path: Path) -> None:
        """Print a path of this machine, as it is: not all of them are text."""
        self.flush()
        with self._answering():
            sys.stdout.buffer.write(os.fsencode(path) + b"\n")

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """Give stdout for an answer that is bytes. Raises `StorageError` when it takes no more."""
        self.flush()
        with self._answering():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()

    def piece(self, text: str) -> None:
        """Print a piece of a generated answer at once, without a line's end.

        Its control characters are dropped on a terminal; a file or a pipe gets them as they are.
        """
        self._stdout(printable(text) if self.stdout_is_terminal else text)
        self.flush()

    def draw(self, text: str) -> None:
        """Print what was made for the terminal, control codes included, at once.

        Whoever made it has dropped those of the model's with `printable`.
        """
        self._stdout(text)
        self.flush()

    def json(self, value: Any, *, on_one_line: bool = False) -> None:
        """Print `value` as the answer, in JSON, control characters and the like escaped."""
        text = json.dumps(value, ensure_ascii=False, indent=None if on_one_line else 2)
        self._stdout(re.sub(_CONTROL, lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")

    def table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        dispensable: Sequence[str] = (),
    ) -> None:
        """Print a table as Docker does: upper-case headers, left-aligned, no lines.

        On a terminal that is too narrow, columns of the headers `dispensable` are left out, the
        first of them first.
        """
        cells = [list(headers), *([printable_line(cell) for cell in row] for row in rows)]
        sizes = [[width_of(cell) for cell in row] for row in cells]
        widths = [max(column) for column in zip(*sizes, strict=True)]
        screen = self.columns
        if screen >= _NARROWEST and sum(widths) + len(GAP) * (len(widths) - 1) > screen:
            from smolctl.cli.narrow_table import fitted

            cells = fitted(cells, dispensable, screen, mark="…" if self.has_signs else "..")
            sizes = [[width_of(cell) for cell in row] for row in cells]
            widths = [max(column) for column in zip(*sizes, strict=True)]
        lines = []
        for row, taken in zip(cells, sizes, strict=True):
            padded = (
                cell + " " * (width - size)
                for cell, width, size in zip(row, widths, taken, strict=True)
            )
            lines.append(GAP.join(padded).rstrip() + "\n")
        self._stdout("".join(lines))

    def flush(self) -> None:
        """Hand over what was printed. Raises `StorageError` when it cannot be written."""
        with self._answering():
            sys.stdout.flush()

    def notice(self, text: str) -> None:
        """Tell the person something that is not the answer, on stderr."""
        self._tell(printable(text))

    def aside(self, text: str, *, dim: bool = False) -> None:
        """Print a piece of what is not the answer (reasoning) on stderr, at once."""
        text = printable(text)
        self._stderr(f"\x1b[2m{text}\x1b[0m" if dim else text)

    def error(self, message: str, hint: str | None = None) -> None:
        """Say what failed, and on a second line what to do."""
        self._tell(f"smolctl: {printable_line(message)}")
        if hint:
            self._tell(f"  {printable_line(hint)}")

    def on_interrupt(self, note: str | None) -> None:
        """Set what to say when the command is interrupted from here on; None for nothing."""
        self._interrupted_note = note

    def interrupted(self) -> None:
        """Say what the interrupted command asked to have said."""
        if self._interrupted_note:
            self._tell(f"\n{printable_line(self._interrupted_note)}")

    def _stdout(self, text: str) -> None:
        with self._answering():
            sys.stdout.write(text)

    @staticmethod
    @contextmanager
    def _answering() -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise  # whoever reads has had enough, which is no failure
        except OSError as error:
            raise StorageError(f"cannot write the answer: {error.strerror}") from error

    def _tell(self, text: str) -> None:
        """Print lines on stderr; on a terminal, which breaks words, they break between words."""
        columns = _columns(sys.stderr) if self.stderr_is_terminal else 0
        lines = text.split("\n")
        if columns >= _NARROWEST:
            lines = [part for line in lines for part in _broken(line, columns)]
        self._stderr("\n".join(lines) + "\n")

    @staticmethod
    def _stderr(text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass  # nobody listens there; the exit code still speaks


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _columns(stream: Any) -> int:
    """Return how wide the terminal is, 0 where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def _broken(line: str, columns: int) -> list[str]:
    """Return `line` in lines that fit, if it is longer; those after the first are indented.

    As the first one is, or as far as its second column, where it is a row of two.
    """
    if len(line) <= columns:
        return [line]
    import textwrap  # not before: few lines are so long, and most commands print none

    lead = re.match(_SECOND_COLUMN, line)
    indent = lead.end() if lead is not None else len(line) - len(line.lstrip())
    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=" " * min(indent, columns // 2),
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def width_of(text: str) -> int:
    """Return the columns that `text` takes: wide letters of East Asia two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
