"""What a one-shot asks: the words, files and standard input that its prompt is put together from.

Their order is always the same: the prompt's words, `--prompt-file`, each `--file`, standard input,
with a blank line between them. The first two are the instruction, the others the text that it is
about: between them stands what a schema has to say, and `--chunk` splits the text alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from smolctl.cli.prompt import STDIN_ARGUMENT, checked_text, joined_words, read_prompt, read_stdin
from smolctl.cli.text_file import read_text_file
from smolctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from smolctl.cli.prompt import Notices

FILE_SIGN = "@"
"""What begins a value that is the name of a file; twice, it stands for itself."""


class Asked(NamedTuple):
    """A prompt: the instruction, and the text that it is about. One of them may be empty."""

    instruction: str
    text: str = ""

    def prompt(self, note: str = "") -> str:
        """Return all of it, with `note` after the instruction."""
        return "\n\n".join(part for part in (self.instruction, note, self.text) if part.strip())


@dataclass(frozen=True)
class PromptSources:
    """Where a prompt comes from: what the command line says of it."""

    words: tuple[str, ...] = ()
    prompt_file: Path | None = None
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        named = [
            *(word for word in self.words if word == STDIN_ARGUMENT),
            *(path for path in (self.prompt_file, *self.files) if _is_stdin(path)),
        ]
        if len(named) > 1:
            raise UsageError("standard input is named twice, and can be read once")

    @property
    def some(self) -> bool:
        """Whether the command line says anything about a prompt."""
        return bool(self.words or self.prompt_file or self.files)

    def read(self, output: Notices) -> Asked:
        """Return the prompt.

        Raises `UsageError` when there is none, and for files that are not there or no text, and
        `StorageError` for those that cannot be read.
        """
        if not self.prompt_file and not self.files:
            return self._without_files(output)
        instruction = [joined_words(self.words)]
        if self.prompt_file is not None:
            instruction.append(_content(self.prompt_file, output))
        text = [self._titled(path, _content(path, output)) for path in self.files]
        if not any(_is_stdin(path) for path in (self.prompt_file, *self.files)):
            text.append(read_stdin(output, awaited=STDIN_ARGUMENT in self.words).strip("\n"))
        asked = Asked(_joined(instruction), _joined(text))
        if not asked.prompt():
            raise UsageError("the prompt is empty", hint="The files that it comes from are.")
        return asked

    def _without_files(self, output: Notices) -> Asked:
        words = joined_words(self.words)
        prompt = read_prompt(self.words, output)
        if not words.strip():
            return Asked("", prompt)
        return Asked(words, prompt[len(words) :].removeprefix("\n\n"))

    def _titled(self, path: Path, content: str) -> str:
        """Return a file's text; where there are several, under a line that names it."""
        if len(self.files) < 2 or not content:
            return content
        return f"File: {'standard input' if _is_stdin(path) else path}\n\n{content}"


def text_or_file(value: str | None) -> str | None:
    """Return `value`, or for `@FILE` the text of that file; `@@` at the beginning is one `@`.

    Raises `UsageError` for what is no text, and what `read_text_file` raises.
    """
    if value is None:
        return None
    if not value.startswith(FILE_SIGN):
        return checked_text(value, "an argument")
    rest = value.removeprefix(FILE_SIGN)
    if not rest:
        raise UsageError("the @ is followed by the name of a file; @@ stands for an @")
    return rest if rest.startswith(FILE_SIGN) else read_text_file(rest).strip("\n")


def _is_stdin(path: Path | None) -> bool:
    return path is not None and str(path) == STDIN_ARGUMENT


def _content(path: Path, output: Notices) -> str:
    content = read_stdin(output, awaited=True) if _is_stdin(path) else read_text_file(path)
    return content.strip("\n")


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part.strip())
