"""A model's card: what its artifact says of it, each fact with the place that said it.

The places, in the order in which they are believed: the README in the artifact, the manifest's
annotations (OCI image specification, "Pre-Defined Annotation Keys"), ModelPack's `descriptor` and
`capabilities`, the config, the GGUF header (`general.*`), and a description from elsewhere, such as
Docker Hub's. All of it is text of strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.model.gguf_header import ArrayFacts, GGUFHeader
from smolctl.model.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from smolctl.model.artifact import Artifact

_ANNOTATION = "org.opencontainers.image."
_MAXIMUM_LETTERS = 500
_MAXIMUM_README = 128 * 1024
_MAXIMUM_HEADING = 200
_HEADING = re.compile(r"#{1,6}[ \t]+(?P<title>.*?)[ \t#]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")

_TITLES = {
    "intended_uses": re.compile(r"\b(intended use|use case|uses)", re.IGNORECASE),
    "benchmarks": re.compile(r"\b(benchmark|evaluation)", re.IGNORECASE),
    "links": re.compile(r"\b(links|resource|reference|citation)", re.IGNORECASE),
}
"""What the heading of a section of a README has in it."""

_LABELS = {
    "provider": "Provider",
    "architecture": "Architecture",
    "parameters": "Parameters",
    "quantization": "Quantization",
    "context_size": "Context size",
    "cutoff_date": "Cutoff date",
    "languages": "Languages",
    "tool_calling": "Tool calling",
    "input_modalities": "Input modalities",
    "output_modalities": "Output modalities",
    "license": "License",
}


@dataclass(frozen=True)
class Fact:
    """Something that is said of a model, and where."""

    value: str
    source: str


@dataclass(frozen=True)
class Card:
    """What is known of a model. `facts` are those of `labels`; sections are Markdown."""

    title: Fact
    description: Fact | None
    facts: Mapping[str, Fact]
    sections: Mapping[str, Fact]
    links: tuple[Fact, ...]


def make_card(
    name: str,
    artifact: Artifact,
    header: GGUFHeader | None,
    readmes: Mapping[str, str],
    license_name: str | None = None,
) -> Card:
    """Return the card of the model called `name`.

    `readmes` are Markdown texts by what they are from, the most believed first, of which one that
    is named `README` comes with the artifact. `license_name` is what its license layer says.
    """
    said = [*_said(artifact, header)]
    facts = {}
    for key, label in _LABELS.items():
        in_readme = _in_tables(readmes, label) if "README" in readmes else None
        found = in_readme or next((fact for place, fact in said if place == key), None)
        if found is None and key == "license" and license_name:
            found = Fact(_line(license_name), "license layer")
        found = found or _in_tables(readmes, label)
        if found is not None:
            facts[key] = found
    title = next((fact for place, fact in said if place == "title"), Fact(name, "name"))
    description = next((fact for place, fact in said if place == "description"), None)
    sections = {}
    for key, heading in _TITLES.items():
        section = _section(readmes, heading)
        if section is not None:
            sections[key] = section
    links = {fact.value: fact for place, fact in said if place == "link"}
    return Card(title, description, facts, sections, tuple(links.values()))


def labels() -> Mapping[str, str]:
    """Return what to call the facts of a card, in their order."""
    return _LABELS


def _said(artifact: Artifact, header: GGUFHeader | None) -> Iterator[tuple[str, Fact]]:
    """Yield each fact that is said outright, by its key, the most believed first."""
    annotations = artifact.manifest.annotations
    keys = {
        "title": "title",
        "description": "description",
        "vendor": "provider",
        "licenses": "license",
        "url": "link",
        "source": "link",
        "documentation": "link",
    }
    for name, key in keys.items():
        yield from _text(key, annotations.get(_ANNOTATION + name), "annotation")

    config = artifact.config
    described, able = config.description, config.capabilities
    for name, key in {
        "title": "title",
        "name": "title",
        "description": "description",
        "vendor": "provider",
        "licenses": "license",
        "docURL": "link",
        "sourceURL": "link",
    }.items():
        yield from _text(key, described.get(name), "ModelPack descriptor")
    for name, key in {
        "inputTypes": "input_modalities",
        "outputTypes": "output_modalities",
        "knowledgeCutoff": "cutoff_date",
        "languages": "languages",
        "toolUsage": "tool_calling",
    }.items():
        yield from _text(key, able.get(name), "ModelPack capabilities")

    yield from _text("architecture", config.architecture, "config")
    yield from _text("parameters", config.parameters, "config")
    yield from _text("quantization", config.quantization, "config")
    yield from _text("context_size", config.context_size, "config")
    if header is None:
        return
    for name, key in {
        "general.name": "title",
        "general.description": "description",
        "general.organization": "provider",
        "general.author": "provider",
        "general.languages": "languages",
        "general.license": "license",
        "general.url": "link",
        "general.repo_url": "link",
        "general.license.link": "link",
    }.items():
        yield from _text(key, header.metadata.get(name), "GGUF")
    yield from _text("architecture", header.architecture, "GGUF")
    if header.parameters and (header.split_count or 1) == 1:
        yield from _text("parameters", format_count(header.parameters), "GGUF")
    yield from _text("quantization", header.quantization, "GGUF")
    yield from _text("context_size", header.context_length, "GGUF")
    if header.chat_template:
        has_tools = re.search(r"\btools\b", header.chat_template) is not None
        yield from _text("tool_calling", has_tools, "chat template")


def _text(key: str, value: object, source: str) -> Iterator[tuple[str, Fact]]:
    """Yield `value` as a fact, if it is one."""
    if isinstance(value, ArrayFacts):
        value = list(value.head)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        value = ", ".join(item for item in value if isinstance(item, str))
    if isinstance(value, int):
        value = str(value)
    if isinstance(value, str) and value.strip():
        yield key, Fact(_line(value), source)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAXIMUM_LETTERS else f"{line[:_MAXIMUM_LETTERS]}…"


def _in_tables(readmes: Mapping[str, str], label: str) -> Fact | None:
    """Return what a table of two columns says beside `label`, in the first text that has it."""
    for source, text in readmes.items():
        for line in text[:_MAXIMUM_README].splitlines():
            if "|" not in line:
                continue
            cells = [cell.strip().strip("*_` ") for cell in line.strip().strip("|").split("|")]
            if len(cells) == 2 and cells[0].lower() == label.lower() and cells[1]:
                return Fact(_line(cells[1]), source)
    return None


def _section(readmes: Mapping[str, str], heading: re.Pattern[str]) -> Fact | None:
    """Return the first section under a heading like that, without the heading."""
    for source, text in readmes.items():
        for title, body in sections_of(text):
            if heading.search(title) and body.strip():
                return Fact(body.strip("\n"), source)
    return None


def sections_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading of a Markdown text with what follows it, up to one as high or higher.

    What is in fenced blocks of code is no heading. A section has the lower ones below it.
    """
    headings: list[tuple[int, int, str]] = []
    lines = text[:_MAXIMUM_README].splitlines()
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark is not None:
            fence = "" if fence == mark[1] else fence or mark[1]
        elif (
            not fence
            and len(line) <= _MAXIMUM_HEADING
            and (found := _HEADING.fullmatch(line)) is not None
        ):
            headings.append((number, len(line) - len(line.lstrip("#")), found["title"]))
    for index, (number, level, title) in enumerate(headings):
        following = (headings[later] for later in range(index + 1, len(headings)))
        end = next((later for later, other, _ in following if other <= level), len(lines))
        yield title, "\n".join(lines[number + 1 : end])
