"""Files that a person names in the chat: read whole, up to a limit, and never waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

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


def read_regular_file(path: Path, maximum: int) -> bytes:
    """Return the file's bytes. Devices and named pipes, which may never end, are not read.

    Raises `UsageError` for what is not there, no file, or larger than `maximum` bytes, and
    `StorageError` for what cannot be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if stat.S_ISDIR(status.st_mode):
                raise UsageError(f"{path} is a folder")
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path} is no file")
            content = file.read(maximum + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot read {path}: {reason}") from error
    if len(content) > maximum:
        raise UsageError(f"{path} is too large: more than {format_size(maximum)}")
    return content
