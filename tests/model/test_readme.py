"""READMEs as Docker's namespace and Hugging Face have them, and as nobody should write them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.model.front_matter import split_front_matter
from smolctl.model.readme import Readme, plain_text

USES = re.compile("uses", re.IGNORECASE)

DOCKERS = """# Tiny 2

![logo](https://example.com/logo.svg)

Tiny is a *small* model.
It runs anywhere.

It was made for tests.

## Intended uses

- **Tests**

## Characteristics

| Attribute             | Details       |
|---------------------- |---------------|
| **Provider**          | Somebody      |
| **Cutoff date**       | -             |
| **Tool calling**      | ✅            |
| **Output modalities** | ❌            |
| **License**           | [Apache 2.0](https://example.com/a) |

## Benchmark performance

| Category | Benchmark | Score |
|---|---|---|
| License | of another | 54.5 |

## 🔗 Links

- [A paper](https://example.com/paper)
"""

HUGGING_FACES = """---
# For reference on model card metadata, see the spec
license: apache-2.0
language:
- en
- "fr"
base_model:
  - team/base
tags: [safetensors, 'on''nx', "a \\"b\\"" ]   # what it is
pipeline_tag: text-generation # in and out
datasets:
extra_gated_prompt: >-
  A long text: with a colon
  license: none
model-index:
- name: tiny
  results:
  - task:
      type: text-generation
widget:
- text: "Hello"
- messages:
  - role: user
inference: {parameters: 1}
co2_eq_emissions: 12
---


# Model Card for `Tiny`

<!-- Provide a quick summary -->

<p align="center"><img src="https://example.com/x.png"></p>

[![badge](https://example.com/b.svg)](https://example.com)

## Table of Contents

1. [Summary](#summary)

## Model Summary

Tiny is a family. ![x](y)It is small.

- **Developed by:** Somebody
- **Language(s) (NLP):** [More Information Needed]
- **License:** mit

### How to use

```python
# No heading
- **Provider:** nobody
```

# Uses

## Direct Use

Chat.

Out of scope
------------

Everything else.

# Citation
"""


def test_dockers_are_read() -> None:
    readme = Readme.read(DOCKERS)

    assert (readme.metadata, readme.title) == ({}, "Tiny 2")
    assert readme.introduction == (
        "Tiny is a *small* model. It runs anywhere. It was made for tests."
    )
    assert readme.section(USES) == "- **Tests**"
    labels = ("Provider", "Cutoff date", "Tool calling", "Output modalities", "License")
    assert [readme.value(label) for label in labels] == [
        "Somebody",
        None,
        "yes",
        "no",
        "[Apache 2.0](https://example.com/a)",
    ]
    assert readme.section(re.compile("Links")) == "- [A paper](https://example.com/paper)"


def test_hugging_faces_are_read() -> None:
    readme = Readme.read(HUGGING_FACES.replace("\n", "\r\n"))

    assert readme.metadata == {
        "license": ["apache-2.0"],
        "language": ["en", "fr"],
        "base_model": ["team/base"],
        "tags": ["safetensors", "on'nx", 'a "b"'],
        "pipeline_tag": ["text-generation"],
        "co2_eq_emissions": ["12"],
    }
    assert readme.title == "Model Card for Tiny"
    assert readme.introduction == "Tiny is a family. It is small."
    assert readme.value("Provider", "Developed by") == "Somebody"
    assert readme.value("Language(s) (NLP)") is None
    # Its headings go below the one that it gets.
    assert readme.section(USES) == (
        "### Direct Use\n\nChat.\n\n### Out of scope\n\n\nEverything else."
    )


RESULTS = """## Evaluation

Here they are.

## Of the base

| A | B |
|:--|:-:|
| 1 | 2 |

### More

## Of the other

A | B
--- | ---
1 | 2

## Limits

None.
"""


def test_results_that_follow_their_introduction_come_with_it() -> None:
    found = Readme.read(RESULTS).section(re.compile("Evaluation"), tables=True)

    assert found == (
        "Here they are.\n\n### Of the base\n\n| A | B |\n|:--|:-:|\n| 1 | 2 |\n\n#### More\n\n"
        "### Of the other\n\nA | B\n--- | ---\n1 | 2"
    )
    assert Readme.read(RESULTS).section(re.compile("Evaluation")) == "Here they are."
    with_one = RESULTS.replace("Here they are.", "A | B\n--- | ---\n")
    assert "Of the" not in str(Readme.read(with_one).section(re.compile("Eval"), tables=True))


@pytest.mark.parametrize(
    "text",
    ["", "---", "---\na: b", "--- \na: b\n", "----\na: b\n---\n", "text\n---\na: b\n---\n"],
)
def test_what_is_no_front_matter_stays_in_the_text(text: str) -> None:
    assert split_front_matter(text) == ({}, text)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a: b: c", None),
        ("a: http://example.com/x#y", ["http://example.com/x#y"]),
        ("a: 'b: c'", ["b: c"]),
        ("a: b #c", ["b"]),
        ("a: #c", None),
        ("a: ~", None),
        ("a: []", None),
        ("a: [b, c", None),
        ("a: [b,, c]", ["b", "c"]),
        ("a: *anchor", None),
        ("a: !!python/object:x", None),
        ("a: |", None),
        ("a: 'b", None),
        ("a:b", None),
        ("a:\tb", ["b"]),
        ("  a: b", None),
        ("a:\n- b\n  - c", ["b", "c"]),
        ("a:\n  b: c\n- d", None),
        ("a: b\n- c", ["b"]),
        (f"a: {'b' * 1000}", None),
    ],
)
def test_what_is_taken_of_yaml(line: str, values: list[str] | None) -> None:
    expected = {} if values is None else {"a": values}
    assert split_front_matter(f"---\n{line}\n---\nrest") == (expected, "rest")


def test_a_list_has_an_end() -> None:
    metadata, _ = split_front_matter("---\na:\n" + "- b\n" * 1500 + "---\n")
    assert len(metadata["a"]) == 100
    metadata, _ = split_front_matter("---\na: [" + "b," * 1500 + "]\n---\n")
    assert len(metadata["a"]) == 100


@pytest.mark.parametrize("text", ["no title", "## Second\n\nText.", "# <b></b>\n"])
def test_not_every_text_has_a_title(text: str) -> None:
    assert Readme.read(text).title is None


def test_a_long_introduction_ends_with_a_sentence_or_a_word() -> None:
    assert Readme.read("One is. " * 200).introduction == ("One is. " * 125).strip()
    found = Readme.read("word " * 300).introduction
    assert found is not None
    assert found.endswith("word…")
    assert len(found) <= 1000


@pytest.mark.parametrize("what", ["A | B\n--- | ---", "Two\n---", "## One", "```\nx\n```", "- a"])
def test_an_introduction_is_prose(what: str) -> None:
    assert Readme.read(f"{what}\n\nText.").introduction in (None, "Text.")
    assert Readme.read(f"Text.\n\n{what}\n\nMore.").introduction == "Text."


def test_plain_text_has_no_marks() -> None:
    assert plain_text("**A** [b](https://c) `d` <i>e</i> ![f](g)") == "A b d e"


HOSTILE = {
    "headings": "# a\n" * 99_999,
    "marks": "# " + "#" * 999_999,
    "cells": "|" * 999_999,
    "levels": "###### b\n# a\n" * 9999,
    "images": ("![" * 900 + "\n") * 99,
    "brackets": ("[" * 1900 + "\n") * 99,
    "underlines": "a\n===\n" * 30_000,
    "bullets": ("- **" + "a" * 1900 + "\n") * 99,
    "blocks": "<\n\n" * 40_000,
    "descriptions": "## about\n<\n\n" * 20_000,
    "keys": "---\n" + "a: b\n" * 1900 + "---\n",
    "items": "---\na:\n" + "- b\n" * 1900 + "---\n",
    "flow": "---\na: [" + "," * 100_000 + "]\n---\n",
    "quotes": "---\na: '" + "'" * 100_000 + "\n---\n",
    "tables": "## uses\nx\n" + "## a\n-- | --\n" * 9999,
    "rules": "## uses\n" + ("-" * 1900 + "\n") * 60,
    "spaces": "## uses\nx\n" + " " * 100_000 + "x",
    "rule of spaces": "## uses\nx\n--" + " " * 100_000 + "x",
    "blanks": ("\n" + " " * 1000) * 120,
}


def exercise(text: str) -> None:
    readme = Readme.read(text)
    section = readme.section(USES, tables=True)
    for part in (readme.title, readme.introduction, readme.value("a"), section):
        assert part is None or part
    assert all(readme.metadata.values())


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_ones_take_no_time(what: str) -> None:
    began = time.process_time()
    exercise(HOSTILE[what])
    assert time.process_time() - began < 1


@given(st.text("#`~| \n=->!['\"]:,auses*—"))
def test_any_text_is_read(text: str) -> None:
    exercise(text)
    exercise(f"---\n{text}\n---\n{text}")
    for section in Readme.read(text).sections:
        assert section.title in text
        assert all(line in text for line in section.body.splitlines())
