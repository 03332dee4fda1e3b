"""Where a one-shot's prompt comes from: the arguments, standard input, or both joined."""

from __future__ import annotations

import os
import select
import stat
import sys

from smolctl.errors import UsageError

TYPE_CHECKING = False  # `typing` takes 10 ms to import, and the short way of a one-shot passes here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Notices(Protocol):
        """Where to say what a person should know."""

        def notice(self, text: str) -> None:
            """Say it."""


STDIN_ARGUMENT = "-"
_PATIENCE_SECONDS = 10.0
_CHUNK = 64 * 1024
MAXIMUM_BYTES = 64 * 1024 * 1024
"""Far more than any context holds; what never ends is not read for ever."""

_read: list[bytes] = []
"""What standard input held, once it was read: there is no second time."""


def wants_chat(words: Sequence[str]) -> bool:
    """Whether there is no prompt and a person at both ends: the case for a chat."""
    return not words and sys.stdin.isatty() and sys.stdout.isatty()


def read_prompt(words: Sequence[str], output: Notices) -> str:
    """Return the prompt: the arguments' words, a blank line, standard input; what there is of it.

    `-` among the words, or no words at all, waits for standard input to end. With words alone it
    is read only when it is a pipe, a file or a socket; and since a pipe may be one that nobody
    ever writes to or closes (a service's, `ssh -n`'s), it has ten seconds to show signs of life.
    Raises `UsageError` when all that gives nothing, and for words that are no text.
    """
    argument = joined_words(words)
    piped = read_stdin(output, awaited=STDIN_ARGUMENT in words or not words)
    parts = [part for part in (argument, piped.strip("\n")) if part.strip()]
    if not parts:
        raise UsageError("the prompt is empty", hint="Give it as an argument or on standard input.")
    return "\n\n".join(parts)


def joined_words(words: Sequence[str]) -> str:
    """Return the arguments' words as one text. Raises `UsageError` for what is no text."""
    return checked_text(" ".join(word for word in words if word != STDIN_ARGUMENT), "the prompt")


def checked_text(text: str, what: str) -> str:
    """Return `text`. Raises `UsageError` where the bytes of an argument were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is no text in UTF-8") from None
    return text


def decoded(content: bytes, what: str) -> str:
    """Return the text that `content` is, in UTF-8 whatever the locale says, without its mark.

    Raises `UsageError` for what is no text: a picture, a PDF, another encoding.
    """
    try:
        if b"\0" not in content:
            return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    raise UsageError(
        f"{what} is no text in UTF-8",
        hint="`iconv -t UTF-8` converts a text; of a document, the text has to be extracted first.",
    )


def read_stdin(output: Notices, *, awaited: bool) -> str:
    """Return what is on standard input, waiting for its end where it is `awaited`.

    Else it has the time to show signs of life that `read_prompt` speaks of.
    """
    if not awaited:
        return _read_if_alive(output)
    if sys.stdin is not None and sys.stdin.isatty():
        output.notice("Type the text, and end it with Ctrl-D.")
    return _read_all()


def _read_if_alive(output: Notices) -> str:
    try:
        handle = sys.stdin.fileno()
        mode = os.fstat(handle).st_mode
    except (OSError, ValueError, AttributeError):  # closed, as some services start their children
        return ""
    if _read or stat.S_ISREG(mode):
        return _read_all()
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return ""
    readable, _, _ = select.select([handle], [], [], _PATIENCE_SECONDS)
    if not readable:
        output.notice(
            f"Nothing came on standard input in {_PATIENCE_SECONDS:.0f} s; going on without it."
            " `-` as the prompt waits for as long as it takes."
        )
        _read.append(b"")  # who asks again need not wait again
    return _read_all()


def _read_all() -> str:
    """Read standard input to its end, once.

    Raises `UsageError` for what is no text, or has more than `MAXIMUM_BYTES`.
    """
    if sys.stdin is None:
        return ""
    if not _read:
        content = bytearray()
        try:
            while len(content) <= MAXIMUM_BYTES and (chunk := os.read(sys.stdin.fileno(), _CHUNK)):
                content += chunk
        except OSError as error:
            raise UsageError(f"cannot read standard input: {error.strerror}") from error
        _read.append(bytes(content))
    if len(_read[0]) > MAXIMUM_BYTES:
        raise UsageError(f"standard input has more than {MAXIMUM_BYTES // 1_000_000} MB")
    return decoded(_read[0], "standard input")
