"""Everything about a model, also while it is in its registry alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty_registry import FaultyRegistry, pack
from tests.support.large_blob import LargeBlob, wordy_header

if TYPE_CHECKING:
    from tests.support.processes import Smolctl


@pytest.fixture
def name(registry: FaultyRegistry) -> str:
    registry.publish("team/model", "v1", pack())
    return f"{registry.host}/team/model:v1"


def test_a_remote_one_is_shown_as_the_one_that_is_here(smolctl: Smolctl, name: str) -> None:
    remote = json.loads(smolctl("model", "inspect", "--remote", name, "--json", expect=0).stdout)
    assert not smolctl.home.exists()
    smolctl("model", "pull", name, expect=0)
    here = json.loads(smolctl("model", "inspect", name, "--json", expect=0).stdout)

    assert {layer.pop("blob") for layer in remote["layers"]} == {None}
    assert all(layer.pop("blob") for layer in here["layers"])
    assert (remote.pop("remote"), here.pop("remote")) == (True, False)
    assert remote == here
    assert here["memory"][0]["context_size"] == here["gguf"]["context_length"]


def test_of_a_large_one_little_is_read(smolctl: Smolctl, registry: FaultyRegistry) -> None:
    blob = LargeBlob(wordy_header(49_152), serves_ranges=False)
    blob.publish(registry, "team/model", "v1")

    done = smolctl("model", "inspect", "-r", f"{registry.host}/team/model:v1", expect=0)

    assert "725 MB  weights  (application/vnd.docker.ai.gguf.v3)" in done.stdout
    assert "tokenizer.ggml.tokens: 49152 of string" in done.stdout
    assert sum(registry.sent.values()) < 32 * 1024 * 1024


def test_texts_are_printed_alone(smolctl: Smolctl, registry: FaultyRegistry, name: str) -> None:
    template = smolctl("model", "inspect", "-r", name, "--template", expect=0)
    assert (template.stdout, template.stderr) == ("{{ messages[0].content }}\n", "")
    assert smolctl("model", "inspect", "-r", name, "--license", expect=0).stdout == "You may.\n"
    LargeBlob(wordy_header(9)).publish(registry, "team/model", "v2")
    bare = smolctl("model", "inspect", "-r", f"{name[:-1]}2", "--license", expect=3)
    assert "no license text in it; its file says apache-2.0" in bare.stderr
    smolctl("model", "inspect", "-r", name, "--license", "--json", expect=2)
