"""Files that a person names, in a flag or in a chat: read whole, up to a limit."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.cli.prompt import MAXIMUM_BYTES, decoded
from smolctl.errors import StorageError, UsageError
from smolctl.model.units import format_size
from smolctl.settings import expanded

if TYPE_CHECKING:
    from collections.abc import Iterator


def named_path(text: str) -> Path:
    """Return the path that a person wrote, also in quotes and with a `~`."""
    for quote in ("'", '"'):
        if len(text) > 1 and text.startswith(quote) and text.endswith(quote):
            text = text[1:-1]
            break
    return expanded(text)


@contextmanager
def named_file(path: Path | str) -> Iterator[None]:
    """Say of a file that a person named, and the block opens or reads, why it cannot be.

    Raises `UsageError` for what is not there or no file, else `StorageError`.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot read {path}: {reason}") from error


def is_there(path: Path) -> bool:
    """Whether anything is at `path`. Raises `StorageError` where that cannot be told.

    `Path.exists` raises `OSError` then: for a folder that may not be searched, a name too long.
    """
    try:
        with named_file(path):
            path.stat()
    except UsageError:
        return False
    return True


def read_file(path: Path | str, maximum: int = MAXIMUM_BYTES, *, waits: bool = True) -> bytes:
    """Return the file's bytes.

    Without `waits` only a plain file is read: a device or a named pipe may never end. Raises
    `UsageError` for what is not there, no file, or larger than `maximum` bytes, and
    `StorageError` for what cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if waits else os.O_NONBLOCK)
    with named_file(path), os.fdopen(os.open(path, flags), "rb") as file:
        if not waits and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageError(f"{path} is no file")
        content = file.read(maximum + 1)
    if len(content) > maximum:
        raise UsageError(f"{path} is too large: more than {format_size(maximum)}")
    return content


def read_text_file(path: Path | str, maximum: int = MAXIMUM_BYTES, *, waits: bool = True) -> str:
    """Return the text of a file, without a byte order mark; see `read_file`.

    Raises `UsageError` also for what is no text in UTF-8.
    """
    return decoded(read_file(path, maximum, waits=waits), str(path))
