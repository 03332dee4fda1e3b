"""Files of text that flags name: prompts, schemas, grammars, tools."""

from __future__ import annotations

from pathlib import Path

from smolctl.cli.prompt import MAXIMUM_BYTES
from smolctl.errors import StorageError, UsageError


def read_text_file(path: Path | str) -> str:
    """Return the text of the file at `path`, which may be a named pipe; without a byte order mark.

    Raises `UsageError` for a file that is not there, is no text in UTF-8 or has more than
    `MAXIMUM_BYTES`, and `StorageError` for one that cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"no such file: {path}") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"cannot read {path}: {reason}") from error
    if len(content) > MAXIMUM_BYTES:
        raise UsageError(f"{path} has more than {MAXIMUM_BYTES // 1_000_000} MB")
    try:
        if b"\0" not in content:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise UsageError(
        f"{path} is no text in UTF-8",
        hint="`iconv -t UTF-8` converts a text; of a document, the text has to be extracted first.",
    )
