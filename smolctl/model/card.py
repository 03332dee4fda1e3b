"""A model's card: what its artifact says of it, each fact with the place that said it.

The places, in the order in which they are believed: the README in the artifact (a table in it, then
the metadata that it begins with), the manifest's annotations (OCI image specification, "Pre-Defined
Annotation Keys"), ModelPack's `descriptor` and `capabilities`, the config, the GGUF header
(`general.*`), and a description from elsewhere, such as Docker Hub's. All of it is text of
strangers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smolctl.model.gguf_header import ArrayFacts, GGUFHeader
from smolctl.model.readme import Readme
from smolctl.model.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from smolctl.model.artifact import Artifact

_ANNOTATION = "org.opencontainers.image."
_HUGGING_FACE = "https://huggingface.co/"
_ARXIV = "https://arxiv.org/abs/"
_REPOSITORY = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}", re.ASCII)
_PAPER = re.compile(r"arxiv:(?P<number>\d{4}\.\d{4,5})", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s<>\"]{1,400}")
_MAXIMUM_LETTERS = 500

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
    "base_model": "Base model",
    "tags": "Tags",
}

_OTHER_LABELS = {
    # Those of Hugging Face's template, and what others say.
    "provider": ("Developed by", "Model developer"),
    "languages": ("Language(s) (NLP)", "Language(s)", "Language"),
    "cutoff_date": ("Knowledge cutoff",),
    "license": ("License(s)",),
    "base_model": ("Finetuned from model", "Finetuned from model [optional]"),
}

_MODALITIES = {
    "text-generation": ("text", "text"),
    "text2text-generation": ("text", "text"),
    "translation": ("text", "text"),
    "summarization": ("text", "text"),
    "question-answering": ("text", "text"),
    "image-text-to-text": ("text, image", "text"),
    "video-text-to-text": ("text, video", "text"),
    "audio-text-to-text": ("text, audio", "text"),
    "visual-question-answering": ("text, image", "text"),
    "image-to-text": ("image", "text"),
    "automatic-speech-recognition": ("audio", "text"),
    "text-to-speech": ("text", "audio"),
    "feature-extraction": ("text", "embeddings"),
    "sentence-similarity": ("text", "embeddings"),
    "text-ranking": ("text", "scores"),
}
"""What goes in and what comes out, by `pipeline_tag`. Source: Hugging Face, "Tasks"."""


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
    read = {source: Readme.read(text) for source, text in readmes.items()}
    own = {source: readme for source, readme in read.items() if source == "README"}
    others = {source: readme for source, readme in read.items() if source != "README"}
    said = [*_in_readmes(own), *_said(artifact, header)]
    if license_name:
        said += _text("license", license_name, "license layer")
    said += _in_readmes(others)
    facts: dict[str, Fact] = {}
    for key, fact in said:
        if key != "link":
            facts.setdefault(key, fact)
    title = facts.pop("title", Fact(name, "name"))
    description = facts.pop("description", None)
    facts = {key: facts[key] for key in _LABELS if key in facts}
    sections = {}
    for key, heading in _TITLES.items():
        with_tables = key == "benchmarks"
        found = (
            (source, readme.section(heading, tables=with_tables)) for source, readme in read.items()
        )
        section = next((Fact(text, source) for source, text in found if text), None)
        if section is not None:
            sections[key] = section
    links: dict[str, Fact] = {}
    for key, fact in said:
        if key == "link" and _ADDRESS.fullmatch(fact.value):
            links.setdefault(fact.value, fact)
    return Card(title, description, facts, sections, tuple(links.values()))


def labels() -> Mapping[str, str]:
    """Return what to call the facts of a card, in their order."""
    return _LABELS


def _in_readmes(readmes: Mapping[str, Readme]) -> Iterator[tuple[str, Fact]]:
    """Yield what texts for people say, the text before the metadata that it begins with."""
    for source, readme in readmes.items():
        yield from _text("title", readme.title, source)
        if readme.introduction:
            yield "description", Fact(readme.introduction, source)
        for key, label in _LABELS.items():
            yield from _text(key, readme.value(label, *_OTHER_LABELS.get(key, ())), source)
        yield from _in_metadata(readme.metadata, f"{source} front matter")


def _in_metadata(said: Mapping[str, Sequence[str]], source: str) -> Iterator[tuple[str, Fact]]:
    """Yield what a README's metadata says, in the words of Hugging Face's cards."""
    license_name = said.get("license_name") or said.get("license")
    yield from _text("license", license_name, source)
    yield from _text("languages", said.get("language"), source)
    yield from _text("base_model", said.get("base_model"), source)
    yield from _text("tags", said.get("tags"), source)
    tasks = said.get("pipeline_tag", ())
    if tasks and tasks[0] in _MODALITIES:
        takes, gives = _MODALITIES[tasks[0]]
        yield from _text("input_modalities", takes, source)
        yield from _text("output_modalities", gives, source)
    yield from _text("link", said.get("license_link"), source)
    for repository in said.get("base_model", ()):
        if _REPOSITORY.fullmatch(repository):
            yield from _text("link", _HUGGING_FACE + repository, source)
    for tag in said.get("tags", ()):
        if (paper := _PAPER.fullmatch(tag)) is not None:
            yield from _text("link", _ARXIV + paper["number"], source)


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
        "general.base_model.0.name": "base_model",
        "general.tags": "tags",
        "general.url": "link",
        "general.repo_url": "link",
        "general.source.url": "link",
        "general.source.repo_url": "link",
        "general.license.link": "link",
        "general.base_model.0.repo_url": "link",
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
