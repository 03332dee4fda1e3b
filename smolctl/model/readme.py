"""What a README says of a model: a Markdown text of a stranger, written for people.

Two kinds are usual. Docker's, of the models in its namespace `ai`, have a table of characteristics
and sections that are called alike. Hugging Face's begin with a block of metadata
(`front_matter.py`), and their template has lists of the form `- **License:** …`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from smolctl.model.front_matter import split_front_matter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MAXIMUM = 128 * 1024
"""Letters of a README that are looked at."""

_MAXIMUM_HEADINGS = 1000
_MAXIMUM_LINE = 2000
_MAXIMUM_HEADING = 200
_INTRODUCTION = 1000
_HEADING = re.compile(r" {0,3}(?P<marks>#{1,6})[ \t]+(?P<title>.*?)[ \t#]*")
_UNDERLINE = re.compile(r" {0,3}(={3,}|-{3,})[ \t]*")
_RULE = re.compile(r"[ \t]*(?:\|[ \t]*)?:?-{2,}:?[ \t]*\|[ \t:|-]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_BULLET = re.compile(r"[ \t]*[-*+] \*\*(?P<label>[^*]+?):?\*\*:?(?P<value>.*)")
_CELLS = re.compile(r"(?<!\\)\|")
_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)")
_LINK = re.compile(r"\[([^\]\[\n]*)\]\([^)\n]*\)")
_TAG = re.compile(r"<[^<>\n]*>")
_NO_PROSE = re.compile(r"[ \t]*(<|\[?!\[|\||>|[-*+] |\d+[.)] |#)")
_DESCRIPTION = re.compile(r"\b(description|introduction|overview|summary|about)\b", re.IGNORECASE)
_SAYS_NOTHING = frozenset({"", "-", "\u2013", "\u2014", "n/a", "[more information needed]", "..."})
_SIGNS = {"✅": "yes", "✔️": "yes", "❌": "no", "✖️": "no"}


@dataclass(frozen=True)
class Section:
    """A heading, and what follows it up to one as high or higher. `level` counts from 1."""

    level: int
    title: str
    body: str

    @property
    def has_table(self) -> bool:
        """Whether there is a table in it."""
        return any(map(_RULE.fullmatch, self.body.split("\n")))


@dataclass(frozen=True)
class Readme:
    """A README. `metadata` is its front matter, whose values are lists; `body` the rest."""

    metadata: Mapping[str, Sequence[str]]
    body: str

    @classmethod
    def read(cls, text: str) -> Readme:
        """Return the README that is `text`; what is beyond 128 Ki letters is not looked at."""
        text = text[:_MAXIMUM].removeprefix("\ufeff").replace("\r\n", "\n").lstrip("\n")
        return cls(*split_front_matter(text))

    @cached_property
    def title(self) -> str | None:
        """What it is headed by, as plain text: its first heading, where that is of level 1."""
        first = next(iter(self.sections), None)
        if first is None or first.level != 1:
            return None
        return plain_text(first.title) or None

    @cached_property
    def introduction(self) -> str | None:
        """The paragraphs that it begins with, as one line of Markdown without images.

        Those before any section, else of one that is called `Description` or the like.
        """
        sections = self.sections
        start = sections[0].body if sections and sections[0].level == 1 else self.body
        found = _prose(start)
        if found:
            return found
        described = (part.body for part in sections if _DESCRIPTION.search(part.title))
        return next(filter(None, map(_prose, described)), None)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Its sections, in order; one has those below it in it."""
        return tuple(_sections(self.body.split("\n")))

    def section(self, title: re.Pattern[str], *, tables: bool = False) -> str | None:
        """Return the first section whose title matches, headings in it from level 3 on.

        With `tables`, one that has none brings those that follow it and do: an introduction to
        results, each of which has a heading of its own.
        """
        for number, found in enumerate(self.sections):
            is_title = number == 0 and found.level == 1
            if is_title or not title.search(found.title) or not found.body.strip():
                continue
            parts = [_lowered(found, 2).strip("\n")]
            if tables and not found.has_table:
                parts += [
                    "\n\n".join((f"### {each.title}", _lowered(each, 3).strip("\n")))
                    for each in takewhile(lambda each: each.has_table, self._after(number))
                ]
            return "\n\n".join(parts)
        return None

    def _after(self, number: int) -> Iterator[Section]:
        """Yield the sections beside that of this number, and after it."""
        level = self.sections[number].level
        following = takewhile(lambda each: each.level >= level, self.sections[number + 1 :])
        return (each for each in following if each.level == level)

    def value(self, *labels: str) -> str | None:
        """Return what a table of two columns, or a list, says beside one of `labels`."""
        return next(
            (self._values[key] for key in map(str.lower, labels) if key in self._values), None
        )

    @cached_property
    def _values(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in _outside_code(self.body.split("\n")):
            if len(line) > _MAXIMUM_LINE:
                continue
            label, value = "", ""
            if "|" in line:
                cells = _CELLS.split(line.strip().removeprefix("|").removesuffix("|"))
                if len(cells) == 2:
                    label, value = cells[0], cells[1].replace("\\|", "|")
            elif (bullet := _BULLET.fullmatch(line)) is not None:
                label, value = bullet["label"], bullet["value"]
            value = value.strip().strip("*_` ")
            value = _SIGNS.get(value, value)
            if value.lower() not in _SAYS_NOTHING:
                found.setdefault(label.strip("*_` :").lower(), value)
        return found


def plain_text(text: str) -> str:
    """Return a line of Markdown without its images, addresses, tags and emphasis."""
    text = _LINK.sub(r"\1", _IMAGE.sub("", text[:_MAXIMUM_HEADING]))
    return " ".join(re.sub(r"\*\*|__|`", "", _TAG.sub("", text)).split())


def _outside_code(lines: Sequence[str]) -> Iterator[str]:
    """Yield each of `lines`, and an empty one for those in fenced blocks of code."""
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        if mark is not None:
            fence = "" if fence == mark[1] else fence or mark[1]
        yield "" if fence or mark is not None else line


def _headings(lines: Sequence[str]) -> Iterator[tuple[int, int, int, str]]:
    """Yield each heading: its first line, the one after it, its level, its title."""
    previous = ""
    for number, line in enumerate(_outside_code(lines)):
        if len(line) <= _MAXIMUM_HEADING and (found := _HEADING.fullmatch(line)) is not None:
            yield number, number + 1, len(found["marks"]), found["title"]
            line = ""
        elif previous.strip() and _UNDERLINE.fullmatch(line) and not _NO_PROSE.match(previous):
            if len(previous) <= _MAXIMUM_HEADING:
                level = 1 if line.lstrip().startswith("=") else 2
                yield number - 1, number + 1, level, previous.strip()
            line = ""
        previous = line


def _sections(lines: Sequence[str]) -> Iterator[Section]:
    headings = [*islice(_headings(lines), _MAXIMUM_HEADINGS)]
    for index, (_, start, level, title) in enumerate(headings):
        following = (headings[later] for later in range(index + 1, len(headings)))
        end = next((first for first, _, other, _ in following if other <= level), len(lines))
        yield Section(level, title, "\n".join(lines[start:end]))


def _lowered(section: Section, level: int) -> str:
    """Return what is in `section` with its headings below one of `level`."""
    by = max(0, level - section.level)
    if not by:
        return section.body
    lines = section.body.split("\n")
    for first, after, old, title in _headings(lines):
        lines[first] = f"{'#' * min(6, old + by)} {title}"
        lines[first + 1 : after] = [""] * (after - first - 1)
    return "\n".join(lines)


def _prose(text: str) -> str:
    """Return the paragraphs that `text` begins with, up to a heading, on one line."""
    paragraphs: list[str] = []
    taken = 0
    for block in re.split(r"\n[ \t]*\n", text):
        first = block.strip("\n").split("\n", 1)[0]
        if _HEADING.fullmatch(first[:_MAXIMUM_HEADING]):
            break
        if not first.strip() or _NO_PROSE.match(first) or _FENCE.match(first):
            if paragraphs:
                break
            continue
        if _UNDERLINE.fullmatch(first):
            continue  # a line across
        if any(
            _UNDERLINE.fullmatch(line) or _RULE.fullmatch(line) for line in block.split("\n")[1:]
        ):
            break  # a heading that is underlined, or a table
        paragraph = " ".join(_IMAGE.sub("", block[: 2 * _INTRODUCTION]).split())
        taken += len(paragraph)
        if paragraphs and taken > _INTRODUCTION:
            break
        paragraphs.append(paragraph)
    return _shortened(" ".join(paragraphs))


def _shortened(text: str) -> str:
    """Return the sentences of `text` that fit, or the words of its first."""
    if len(text) <= _INTRODUCTION:
        return text
    cut = text[:_INTRODUCTION]
    end = cut.rfind(". ") + 1
    return cut[:end] if end else f"{cut.rpartition(' ')[0] or cut}…"
