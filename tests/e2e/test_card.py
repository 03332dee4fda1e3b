"""The card of a model that is not here, for a person and for a script."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty_registry import FaultyRegistry, descriptor, digest, pack
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

README = (
    b"---\nlicense: mit\n---\n# Small\n\nIt is \x1b[2Jsmall.\n\n"
    b"## Intended uses\n\nTests, \x1b[31mall\x1b[0m of them.\n"
)


@pytest.fixture
def name(registry: FaultyRegistry) -> str:
    layer = descriptor(
        README,
        "application/vnd.cncf.model.doc.v1.raw",
        annotations={"org.cncf.model.filepath": "README.md"},
    )
    model = pack().altered(lambda value: value["layers"].append(layer))
    model = replace(model, blobs={**model.blobs, digest(README): README})
    registry.publish("team/model", "v1", model)
    return f"{registry.host}/team/model:v1"


def test_a_card_is_markdown_or_json(smolctl: Smolctl, name: str) -> None:
    text = smolctl("model", "card", name, expect=0).stdout
    assert text.startswith(
        "# Small\n\nIt is [2Jsmall.\n\n## Characteristics\n\n| Attribute | Value |\n"
    )
    assert "| v1 | 2.1K | F16 | 1024 |" in text
    assert "## Intended uses\n\nTests, [31mall[0m of them.\n" in text
    assert f"smolctl model run {name}" in text

    value = json.loads(smolctl("model", "card", name, "--json", expect=0).stdout)
    assert value["facts"]["license"] == {"value": "mit", "source": "README front matter"}
    assert value["facts"]["architecture"]["source"] == "config"
    assert value["title"] == {"value": "Small", "source": "README"}
    assert value["sections"]["intended_uses"]["source"] == "README"
    assert value["variants"][0]["recommended"] is True


def test_on_a_terminal_it_is_drawn(smolctl: Smolctl, name: str) -> None:
    code, drawn = smolctl.on_a_terminal("model", "card", name)
    assert code == 0
    assert b"## " not in drawn
    assert b"mit" in drawn
    assert b"\x1b[31mall" not in drawn


def test_one_that_was_never_pushed_lacks_nothing(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    smolctl("model", "pull", name, expect=0)
    smolctl("model", "tag", name, f"{registry.host}/team/mine:v1", expect=0)
    done = smolctl("model", "card", f"{registry.host}/team/mine:v1", expect=0)
    assert done.stderr == ""
    assert "## Characteristics" in done.stdout


@pytest.mark.usefixtures("name")
def test_who_has_a_mirror_is_not_told_that_docker_hub_is_away(
    smolctl: Smolctl, registry: FaultyRegistry
) -> None:
    with Proxy({}) as proxy:
        smolctl.environment["HTTPS_PROXY"] = f"http://{proxy.host}"
        smolctl.configure(f'[registry."docker.io"]\nmirrors = ["http://{registry.host}"]')
        assert smolctl("model", "card", "team/model:v1", expect=0).stderr == ""
        assert "Docker Hub" in smolctl("model", "card", "team/model:v1", "--debug").stderr


def test_offline_only_what_is_here_has_one(smolctl: Smolctl, name: str) -> None:
    smolctl("model", "card", name, "--offline", expect=3)
    smolctl("model", "pull", name, expect=0)
    text = smolctl("model", "card", name, "--offline", expect=0).stdout
    assert "## Characteristics" in text
    assert "## Variants" not in text
