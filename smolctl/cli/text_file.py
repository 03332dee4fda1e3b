"""Files that a person names, in a flag or in a chat: read whole, up to a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from smolctl.cli.prompt import MAXIMUM_BYTES
from smolctl.errors import StorageError, UsageError
from smolctl.model.units import format_size
from smolctl.settings import expanded


def named_path(text: str) -> Path:
    """Return the path that a person wrote, also in quotes and with a `~`."""
    for quote in ("'", '"'):
        if len(text) > 1 and text.startswith(quote) and text.endswith(quote):
            text = text[1:-1]
            break
    return expanded(text)


def read_file(path: Path | str, maximum: int = MAXIMUM_BYTES, *, waits: bool = True) -> bytes:
    """Return the file's bytes.

    Without `waits` only a plain file is read: a device or a named pipe may never end. Raises
    `UsageError` for what is not there, no file, or larger than `maximum` bytes, and
    `StorageError` for what cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if waits else os.O_NONBLOCK)
    try:
        handle = os.open(path, flags)
        with os.fdopen(handle, "rb") as file:
            if not waits and not stat.S_ISREG(os.fstat(handle).st_mode):
                raise UsageError(f"{path} is no file")
            content = file.read(maximum + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot read {path}: {reason}") from error
    if len(content) > maximum:
        raise UsageError(f"{path} is too large: more than {format_size(maximum)}")
    return content


def read_text_file(path: Path | str, maximum: int = MAXIMUM_BYTES, *, waits: bool = True) -> str:
    """Return the text of a file, without a byte order mark; see `read_file`.

    Raises `UsageError` also for what is no text in UTF-8.
    """
    content = read_file(path, maximum, waits=waits)
    try:
        if b"\0" not in content:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise UsageError(
        f"{path} is no text in UTF-8",
        hint="`iconv -t UTF-8` converts a text; of a document, the text has to be extracted first.",
    )
