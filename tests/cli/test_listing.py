"""Rows and JSON of a model, whatever of it is known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smolctl.cli.listed import Listed
from smolctl.cli.listing import HEADERS, by_name, listing_rows
from smolctl.model.artifact import Artifact
from smolctl.model.descriptor import Descriptor
from smolctl.model.manifest import Manifest
from smolctl.model.reference import Reference
from smolctl.store.store import Store, StoredModel
from tests.support.faulty_registry import Packed, pack

STORE = Store(Path("/nowhere"))


def listed(*names: str, model: Packed | None = None) -> Listed:
    packed = model or pack()
    manifest = Manifest.parse(packed.manifest)
    return Listed(
        StoredModel(
            Descriptor.of(packed.manifest, manifest.media_type),
            tuple(Reference.parse(name) for name in names),
        ),
        Artifact.of(manifest, packed.blobs[packed.config]),
    )


def test_there_is_a_cell_for_each_column() -> None:
    (row,) = listing_rows(listed("ai/small").entry(STORE))

    assert len(row) == len(HEADERS)
    cells = dict(zip(HEADERS, row, strict=True))
    assert cells["MODEL NAME"] == "ai/small:latest"
    assert cells["PARAMETERS"] == "2.1K"
    assert cells["QUANTIZATION"] == "F16"
    assert re.fullmatch(r"[0-9a-f]{12}", cells["MODEL ID"])
    assert cells["CONTEXT"] == "-"
    assert re.fullmatch(r"[0-9.]+ kB", cells["SIZE"])


def test_latest_comes_first_then_the_tags_by_name() -> None:
    one, other = listed("b/b:1", "a/a:z", "h.io/b:1"), listed("a/a:latest", "a/a:b", "h.io/a:1")
    rows = sorted([*listing_rows(one.entry(STORE)), *listing_rows(other.entry(STORE))], key=by_name)

    names = [row[0] for row in rows]
    assert names == ["a/a:latest", "a/a:b", "a/a:z", "b/b:1", "h.io/a:1", "h.io/b:1"]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ((), "<none>"),
        ((f"team/model@sha256:{'0' * 64}",), "team/model:<none>"),
        ((f"host:5000/team/model@sha256:{'0' * 64}",), "host:5000/team/model:<none>"),
    ],
)
def test_a_model_without_a_tag_has_a_row(names: tuple[str, ...], shown: str) -> None:
    (row,) = listing_rows(listed(*names).entry(STORE))

    assert row[0] == shown


def test_names_are_those_of_the_caches_registry() -> None:
    store = Store(Path("/nowhere"), default_registry="registry.example.com")

    entry = listed("registry.example.com/a/b", "ai/small").entry(store)

    names = [row[0] for row in listing_rows(entry)]

    assert names == ["a/b:latest", "docker.io/ai/small:latest"]


def test_what_the_config_does_not_say_is_a_dash() -> None:
    bare = pack(config={"parameters": "", "quantization": None, "architecture": ""})

    (row,) = listing_rows(listed("ai/small", model=bare).entry(STORE))

    assert row[1:4] == ("-", "-", "-")


def test_a_damaged_model_has_a_row_that_says_so() -> None:
    whole = listed("ai/small")
    damaged = Listed(whole.model, None, "the cache is damaged")

    (row,) = listing_rows(damaged.entry(STORE))

    assert len(row) == len(HEADERS)
    assert row[0] == "ai/small:latest"
    assert "(the cache is damaged)" in row
    assert damaged.as_json()["problem"] == "the cache is damaged"


def test_json_has_whole_names_and_digests() -> None:
    shown = listed("ai/small", f"ai/small@sha256:{'0' * 64}").as_json()

    assert shown["id"] == pack().id
    assert shown["tags"] == ["docker.io/ai/small:latest"]
    assert shown["names"][1].endswith("0" * 64)
    assert shown["size"] == sum(len(blob) for blob in pack().blobs.values())
