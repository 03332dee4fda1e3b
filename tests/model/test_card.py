"""A card takes each fact from the first place that says it, and knows which that was."""

from __future__ import annotations

import time

import pytest

from smolctl.model.artifact import Artifact
from smolctl.model.card import Card, Fact, make_card
from smolctl.model.config import ConfigSchema, ModelConfig
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import Manifest
from tests.support.gguf_files import parse_header, tiny_llama

README = """# Tiny

| Attribute | Details |
|---|---|
| **Provider** | The README's |

## Intended uses

Answers.

### Not intended

```
# no heading
```

## Benchmark results

| Task | Score |
|---|---|
| All | 1 |
"""


def card(
    readmes: dict[str, str] | None = None,
    *,
    annotations: dict[str, str] | None = None,
    header: bool = True,
    **config: object,
) -> Card:
    config_blob = Descriptor.of(b"{}", ConfigSchema.MODELPACK.value)
    manifest = Manifest(config_blob, (), annotations=annotations or {})
    artifact = Artifact(manifest, ModelConfig(ConfigSchema.MODELPACK, **config), ())  # type: ignore[arg-type]
    known = parse_header(tiny_llama()) if header else None
    return make_card("team/tiny:v1", artifact, known, readmes or {})


def test_the_readme_is_believed_before_all_else() -> None:
    annotations = {"org.opencontainers.image.vendor": "The annotation's"}
    described = {"vendor": "The descriptor's"}
    said = {"annotations": annotations, "description": described}
    assert card({"README": README}, **said).facts["provider"] == Fact("The README's", "README")  # type: ignore[arg-type]
    assert card(**said).facts["provider"].source == "annotation"  # type: ignore[arg-type]
    assert card(description=described).facts["provider"].source == "ModelPack descriptor"
    hub = card({"Docker Hub": README}).facts
    assert hub["provider"] == Fact("The README's", "Docker Hub")
    assert hub["license"] == Fact("apache-2.0", "GGUF")


def test_the_readme_has_title_introduction_and_metadata() -> None:
    metadata = (
        "---\nlicense: other\nlicense_name: tiny-1.0\nlicense_link: https://example.com/terms\n"
        "language: [en, fr]\nbase_model: team/base\npipeline_tag: image-text-to-text\n"
        "tags:\n- small\n- arxiv:2502.02737\nlibrary_name: x\n---\n"
    )
    made = card({"README": f"{metadata}{README}".replace("# Tiny\n", "# Tiny **One**\n\nIt is.\n")})

    assert made.title == Fact("Tiny One", "README")
    assert made.description == Fact("It is.", "README")
    assert {key: fact.value for key, fact in made.facts.items() if "front" in fact.source} == {
        "languages": "en, fr",
        "input_modalities": "text, image",
        "output_modalities": "text",
        "license": "tiny-1.0",
        "base_model": "team/base",
        "tags": "small, arxiv:2502.02737",
    }
    assert {link.value for link in made.links} == {
        "https://example.com/terms",
        "https://huggingface.co/team/base",
        "https://arxiv.org/abs/2502.02737",
    }
    assert made.facts["provider"] == Fact("The README's", "README")  # a table is for people


def test_what_is_no_address_is_no_link() -> None:
    metadata = "---\nlicense_link: LICENSE\nbase_model: ../../x\ntags: [arxiv:no]\n---\n"
    annotations = {"org.opencontainers.image.url": "javascript:alert(1)"}
    assert card({"README": metadata}, annotations=annotations).links == ()


def test_what_the_hub_says_comes_last() -> None:
    said = "| License | other |\n|---|---|\n| Architecture | other |"
    facts = card({"Docker Hub": said}).facts
    assert (facts["license"].source, facts["architecture"].source) == ("GGUF", "GGUF")
    assert card({"Docker Hub": "# Hub\n\nHello."}).title.source == "GGUF"
    assert card({"Docker Hub": "# Hub\n\nHello."}).description == Fact("Hello.", "Docker Hub")


def test_capabilities_are_facts() -> None:
    able = {
        "inputTypes": ["text", "image"],
        "knowledgeCutoff": "2024-06-01T00:00:00Z",
        "languages": ["en", "fr"],
        "toolUsage": False,
        "outputTypes": {"not": "a list"},
    }
    facts = card(capabilities=able).facts
    assert facts["input_modalities"].value == "text, image"
    assert facts["languages"] == Fact("en, fr", "ModelPack capabilities")
    assert facts["tool_calling"].value == "no"
    assert "output_modalities" not in facts


def test_the_header_says_the_rest() -> None:
    made = card()
    assert made.title == Fact("Tiny", "GGUF")
    assert made.facts["parameters"] == Fact("6.21K", "GGUF")
    assert made.facts["context_size"] == Fact("1024", "GGUF")
    assert card(header=False).title == Fact("team/tiny:v1", "name")


def test_sections_are_found_by_their_headings() -> None:
    sections = card({"README": README}).sections
    assert (
        sections["intended_uses"].value == "Answers.\n\n### Not intended\n\n```\n# no heading\n```"
    )
    assert "| All | 1 |" in sections["benchmarks"].value
    assert "links" not in sections


@pytest.mark.parametrize(
    "text", ["# a\n" * 99_999, "# " + "#" * 999_999, "|" * 999_999, "###### b\n# a\n" * 9999]
)
def test_hostile_texts_take_no_time(text: str) -> None:
    began = time.process_time()
    card({"README": text})
    assert time.process_time() - began < 1
