"""Files whose text goes with a message."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smolctl.cli.text_file import named_path, read_text_file
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAXIMUM_BYTES = 1024 * 1024
"""More than the context of any model that runs on a laptop holds."""


@dataclass(frozen=True)
class Attachment:
    """A file's text, under the name it was asked for by."""

    name: str
    text: str

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())


def read_attachments(argument: str) -> list[Attachment]:
    """Return the files that `argument` names: one, or several in a shell's quoting.

    Raises `UsageError` for one that is not there, is too large or no text, and `StorageError`.
    """
    whole = named_path(argument)
    paths = [whole]
    if not os.path.exists(whole):  # noqa: PTH110 - Path's raises where it cannot be told
        try:
            words = shlex.split(argument)
        except ValueError:
            words = []
        if len(words) > 1:
            paths = [named_path(word) for word in words]
    return [_read(path) for path in paths]


def with_attachments(message: str, attachments: Sequence[Attachment]) -> str:
    """Return `message`, then the text of each file under a line that names it."""
    parts = [f"File: {each.name}\n\n{each.text}" for each in attachments]
    return "\n\n".join([message, *parts])


def _read(path: Path) -> Attachment:
    text = read_text_file(path, _MAXIMUM_BYTES, waits=False)
    if not text.strip():
        raise UsageError(f"{path} is empty")
    return Attachment(str(path), text.strip("\n"))
