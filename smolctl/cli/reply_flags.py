"""What the flags of `run` say about the reply, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from smolctl.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class ReplyFormat(str, Enum):
    """What `--format` takes."""

    text = "text"
    json = "json"


@dataclass(frozen=True)
class ReplyFlags:
    """How the reply is to be, and how it is given."""

    schema: str | None = None
    schema_multi: str | None = None
    format: ReplyFormat = ReplyFormat.text
    grammar: Path | None = None
    tools: Path | None = None
    tool_choice: str | None = None
    stop: tuple[str, ...] = ()
    extract: bool = False
    json: bool = False
    verbose: bool = False
    stream: bool = True
    markdown: bool = True
    chunk: bool = False
    kept: bool = False
    """Whether the reply is part of a conversation that is kept: `--session`, `--continue`."""

    @property
    def for_scripts(self) -> bool:
        """Whether a flag asks for what no chat has: one reply, of a form of its own."""
        return bool(self.without_chat)

    @property
    def without_chat(self) -> list[str]:
        """The flags that ask for that."""
        return sorted(self._given - {"--session"})

    def check(self) -> None:
        """Raise `UsageError` for flags that contradict each other."""
        given = self._given
        for several in _EXCLUSIVE:
            found = [flag for flag in several if flag in given]
            if len(found) > 1:
                raise UsageError(f"{found[0]} and {found[1]} exclude each other")
        if self.tool_choice is not None and self.tools is None:
            raise UsageError("--tool-choice is about the tools that --tools names")

    @property
    def _given(self) -> set[str]:
        """The flags that make a form, or ask for something of the kind."""
        values = {
            "--schema": self.schema is not None,
            "--schema-multi": self.schema_multi is not None,
            "--format json": self.format is ReplyFormat.json,
            "--grammar": self.grammar is not None,
            "--tools": self.tools is not None,
            "--tool-choice": self.tool_choice is not None,
            "--stop": bool(self.stop),
            "--extract": self.extract,
            "--json": self.json,
            "--chunk": self.chunk,
            "--session": self.kept,
        }
        return {flag for flag, given in values.items() if given}


_JSON_TEXT = ("--schema", "--schema-multi", "--format json")
_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    # A reply has one form.
    (*_JSON_TEXT, "--grammar", "--tools"),
    # What is JSON has no code blocks, and no end but its own.
    *((flag, "--extract") for flag in (*_JSON_TEXT, "--tools")),
    *((flag, "--stop") for flag in _JSON_TEXT),
    # Standard output holds one of them.
    ("--extract", "--json"),
    # Calls stand for no text, and a conversation that goes on after them has no results for them.
    ("--tools", "--chunk"),
    ("--tools", "--session"),
)
"""Of each group one flag at most is given. `--session` stands for `--continue` too."""
