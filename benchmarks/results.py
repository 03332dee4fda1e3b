"""The page of results: a section for each benchmark, and a table of all goals before them.

The page is its own record. A run of one benchmark replaces that section and leaves the others,
each of which says when it was measured, and on what.
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO, TextIOBase
from typing import TYPE_CHECKING

from benchmarks.goals import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_BEGINNING = """# Results

Written by `make bench`; `python -m benchmarks NAME --write` measures one section anew. What stands
in one table was measured in turns, and its ratios can be compared. Times of different tables, or
of different days, cannot.
"""
_SECTION = re.compile(r"^## (\w+)\n\n(.*?)\n\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Section:
    """What one benchmark printed, and a line or more about when and on what that was."""

    about: str
    text: str


@dataclass(frozen=True)
class Results:
    """The sections of a page by the names of their benchmarks."""

    sections: Mapping[str, Section]

    @classmethod
    def parse(cls, page: str) -> Results:
        """Read a page that `str` made; what is no section of it is not kept."""
        found = _SECTION.finditer(page)
        return cls({match[1]: Section(match[2], match[3]) for match in found})

    def with_section(self, name: str, section: Section) -> Results:
        """Return these results with another section `name`."""
        return Results({**self.sections, name: section})

    def page(self, order: Sequence[str]) -> str:
        """Return the page, with the sections that `order` names in that order."""
        present = [name for name in order if name in self.sections]
        parts = [_BEGINNING, "\n".join(_table({name: self.sections[name] for name in present}))]
        for name in present:
            section = self.sections[name]
            parts.append(f"\n## {name}\n\n{section.about}\n\n```text\n{section.text}\n```")
        return "\n".join(parts) + "\n"


def update(path: Path, name: str, section: Section, order: Sequence[str]) -> None:
    """Put a section into the page at `path`, which is made when there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    text = Results.parse(page).with_section(name, section).page(order)
    path.write_text(text, encoding="utf-8")


class Copied(TextIOBase):
    """A stream that passes on what it is given, and keeps it."""

    def __init__(self, stream: TextIOBase) -> None:
        self._stream = stream
        self._kept = StringIO()

    def write(self, text: str) -> int:
        """Pass `text` on at once: a benchmark takes minutes, and a person watches."""
        self._kept.write(text)
        count = self._stream.write(text)
        self._stream.flush()
        return count

    @property
    def text(self) -> str:
        """All that was written, without blank lines around it."""
        return self._kept.getvalue().strip("\n")

    def as_stdout(self) -> AbstractContextManager[object]:
        """Take the place of standard output while the block runs."""
        return redirect_stdout(self)


def _table(sections: Mapping[str, Section]) -> Iterator[str]:
    yield "| benchmark | what | goal | measured | |"
    yield "|---|---|---|---|---|"
    for name, section in sections.items():
        for match in JUDGED.finditer(section.text):
            verdict = "" if match["verdict"] is None else match["verdict"]
            measured = match["measured"] or "not measured"
            yield f"| {name} | {match['what']} | {match['goal']} | {measured} | {verdict} |"
