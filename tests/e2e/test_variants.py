"""Choosing a variant before it is pulled, as a person or a script does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty_registry import FaultyRegistry, error, instead, pack
from tests.support.large_blob import LargeBlob, wordy_header

if TYPE_CHECKING:
    from tests.support.processes import Smolctl


@pytest.fixture
def repository(registry: FaultyRegistry) -> str:
    """A small model, a large one in finer quantization, one that no machine holds, and a mess."""
    small = pack(config={"quantization": "Q4_K_M", "parameters": "362 M"})
    registry.publish("team/model", "latest", small)
    registry.publish("team/model", "q4", small)
    LargeBlob(wordy_header(500), 700_000).publish(registry, "team/model", "f16")
    LargeBlob(wordy_header(600), 10**15).publish(registry, "team/model", "huge")
    registry.publish("team/model", "mess", pack(config={"quantization": "\x1b[31mred"}))
    registry.spoil("/manifests/mess", instead(error(403, "DENIED")))
    return f"{registry.host}/team/model"


def test_the_table_says_what_each_is(
    smolctl: Smolctl, registry: FaultyRegistry, repository: str
) -> None:
    smolctl("model", "pull", f"{repository}:q4", expect=0)
    changed = registry.publish("team/model", "q4", pack(config={"parameters": "363 M"}))

    done = smolctl("model", "variants", repository, "--ctx-size", "1000", expect=0)

    head, *rows = done.stdout.splitlines()
    assert head.split() == [
        *("TAGS", "PARAMETERS", "QUANTIZATION", "CONTEXT", "SIZE", "MEMORY", "FITS", "DIGEST"),
        "HERE",
    ]
    cells = {row.split()[0]: row for row in rows}
    assert cells["f16"].split()[1:5] == ["6.21K", "F16", "1024", "700"]
    assert "recommended" in cells["f16"]
    assert cells["huge"].split()[-4:][1] == "no"
    assert cells["q4"].split()[-1] == "older"
    assert changed.id[7:19] in cells["q4"]
    assert cells["latest"].split()[-1] == "here"
    assert cells["mess"].split()[1:] == ["-"] * 8
    assert f"Recommended: {repository}:f16, with a context of 1000 tokens" in done.stderr
    assert "mess: " in done.stderr


def test_a_script_gets_bytes_and_digests(smolctl: Smolctl, repository: str) -> None:
    done = smolctl("model", "variants", f"{repository}:whatever", "--json", expect=0)

    found = {value["tags"][0]: value for value in json.loads(done.stdout)}
    assert found["latest"]["tags"] == ["latest", "q4"]
    assert found["latest"]["parameters"] == "362M"
    assert found["latest"]["memory"]["context_size"] == 1024
    assert found["huge"]["fits"] is False
    assert [tag for tag, value in found.items() if value["recommended"]] == ["f16"]
    assert found["mess"]["digest"] is None

    only = smolctl("model", "variants", repository, "-q", "--limit", "2", expect=0)
    assert only.stdout.split() == [found["f16"]["digest"], found["huge"]["digest"]]
    assert "--limit" in only.stderr


def test_what_keeps_it_from_the_registry_is_said(
    smolctl: Smolctl, registry: FaultyRegistry, repository: str
) -> None:
    smolctl("model", "variants", repository, "--offline", expect=2)
    smolctl("model", "variants", f"{registry.host}/team/nothing", expect=3)
    registry.want_basic("someone", "secret")
    smolctl("model", "variants", repository, expect=4)
