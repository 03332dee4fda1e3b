"""One model under every spelling of its name, through every command that takes one."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from smolctl.store.store import Store
from tests.support.processes import Smolctl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import World

NAMES = {
    "short name": "small",
    "short name in upper case": "Small",
    "short name with tag": "small:latest",
    "namespace": "ai/small",
    "namespace and tag": "ai/small:latest",
    "registry": "{host}/ai/small",
    "registry and tag": "{host}/ai/small:latest",
}
PINNED = {
    "short name at digest": "small@{id}",
    "tag at digest": "small:latest@{id}",
    "another tag at digest": "ai/small:decoy@{id}",
    "registry at digest": "{host}/ai/small@{id}",
    "registry and tag at digest": "{host}/ai/small:latest@{id}",
}
IDS = {"ID of 12 digits": "{short}", "ID of 64 digits": "{hex}", "ID with its algorithm": "{id}"}
EVERY = {**NAMES, **PINNED, **IDS}
QUICK = {"short name", "tag at digest", "ID of 12 digits"}
WRONG = {
    "another digest": "small@sha256:" + "0" * 64,
    "tag at another digest": "small:latest@sha256:" + "0" * 64,
    "registry at another digest": "{host}/ai/small@sha256:" + "0" * 64,
    "the digest under another repository": "ai/other@{id}",
    "the digest under another registry": "localhost:1/ai/small@{id}",
    "the digest of its weights": "small@{layer}",
    "an ID of 12 digits": "0" * 12,
    "an ID of 64 digits": "0" * 64,
    "an ID with its algorithm": "sha256:" + "0" * 64,
    "the ID of its weights": "{layer}",
}


def spelled(pattern: str, world: World) -> str:
    identity = world.model.id
    return pattern.format(
        host=world.host,
        id=identity,
        hex=identity[7:],
        short=identity[7:19],
        layer=world.model.layers[0],
    )


def every(patterns: dict[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pattern", patterns.values(), ids=patterns.keys())


def tags(smolctl: Smolctl) -> dict[str, list[str]]:
    """What is in the cache: the tags of each model by its ID."""
    models = Store(smolctl.home).models()
    return {str(model.id): sorted(tag.canonical for tag in model.tags) for model in models}


@every({**NAMES, **PINNED})
def test_pull(empty: Smolctl, world: World, pattern: str) -> None:
    done = empty("model", "pull", "--quiet", spelled(pattern, world), expect=0)

    assert done.stdout == f"{world.model.id}\n"
    assert done.stderr == ""
    named = [] if "@" in pattern else [f"{world.host}/ai/small:latest"]
    assert tags(empty) == {world.model.id: named}


@every({**PINNED, **IDS})
def test_pull_of_bytes_that_are_here_asks_no_registry(
    filled: Smolctl, world: World, pattern: str
) -> None:
    before, asked = tags(filled), len(world.registry.requests)

    done = filled("model", "pull", spelled(pattern, world), expect=0)

    assert done.stdout.startswith("Already here: ")
    assert len(world.registry.requests) == asked
    assert tags(filled) == before


@every(EVERY)
def test_the_commands_that_read_reach_it(filled: Smolctl, world: World, pattern: str) -> None:
    name = spelled(pattern, world)
    weights = filled.home / "blobs" / "sha256" / world.model.layers[0][7:]

    inspected = filled("model", "inspect", name, "--json", expect=0)
    listed = filled("model", "ls", name, "--quiet", expect=0)
    resolved = filled("model", "resolve", name, expect=0)

    assert json.loads(inspected.stdout)["id"] == world.model.id
    here = [world.model.id[7:19]]
    if ":" not in pattern and pattern not in IDS.values():  # a repository has all of its tags
        assert set(here) <= set(listed.stdout.split())
    else:
        assert listed.stdout.split() == here
    assert resolved.stdout == f"{weights}\n"
    assert inspected.stderr == listed.stderr == resolved.stderr == ""


@every(EVERY)
def test_tag_and_rm_reach_it(filled: Smolctl, world: World, pattern: str) -> None:
    name = spelled(pattern, world)
    before = tags(filled)

    filled("model", "tag", name, "mine", expect=0)
    assert tags(filled)[world.model.id] == sorted(
        [f"{world.host}/ai/mine:latest", f"{world.host}/ai/small:latest"]
    )
    filled("model", "rm", "mine", expect=0)
    assert tags(filled) == before
    removed = filled("model", "rm", name, expect=0)

    assert f"Deleted: {world.model.id}" in removed.stdout
    assert list(tags(filled)) == [world.decoy.id]
    assert not (filled.home / "blobs" / "sha256" / world.model.layers[0][7:]).exists()


@pytest.mark.parametrize(
    "pattern",
    [
        # One of each kind every time; the others, which take a model's loading each, with the slow.
        pytest.param(pattern, id=name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name, pattern in EVERY.items()
    ],
)
def test_run(spelling: Smolctl, world: World, pattern: str) -> None:
    done = spelling(
        "model", "run", spelled(pattern, world), "Hello", "-n", "1", "--pull", "never", expect=0
    )

    assert done.stderr == ""


@pytest.fixture(scope="module")
def spelling(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smolctl]:
    """The command with the world's cache, for what changes nothing in it; its worker is shared."""
    folder = tmp_path_factory.mktemp("spelling")
    with closing(Smolctl(folder, SMOLCTL_DEFAULT_REGISTRY=world.host)) as made:
        made.environment["SMOLCTL_HOME"] = str(world.cache)
        yield made


def assert_reaches_nothing(
    smolctl: Smolctl, world: World, pattern: str, commands: list[tuple[str, ...]]
) -> None:
    blobs = world.cache / "blobs" / "sha256"
    before = (world.cache / "index.json").read_bytes(), sorted(blobs.iterdir())

    for command in commands:
        line = [spelled(pattern, world) if word == "MODEL" else word for word in command]
        done = smolctl("model", *line, expect=3)
        assert done.stdout == ""
        assert done.stderr.startswith("smolctl: ")
        assert len(done.stderr_lines) <= 2

    assert ((world.cache / "index.json").read_bytes(), sorted(blobs.iterdir())) == before


@every(WRONG)
def test_a_wrong_digest_reaches_nothing(spelling: Smolctl, world: World, pattern: str) -> None:
    commands = [("inspect", "MODEL"), ("resolve", "MODEL"), ("rm", "--force", "MODEL")]
    assert_reaches_nothing(spelling, world, pattern, commands)


@pytest.mark.slow
@every(WRONG)
def test_a_wrong_digest_runs_nothing(spelling: Smolctl, world: World, pattern: str) -> None:
    commands = [
        ("run", "MODEL", "Hello", "--offline"),
        ("run", "MODEL", "Hello", "--pull", "never"),
        ("pull", "MODEL", "--offline"),
    ]
    assert_reaches_nothing(spelling, world, pattern, commands)


@every({name: pattern for name, pattern in WRONG.items() if "registry" not in name})
def test_pull_of_a_wrong_digest_brings_nothing(empty: Smolctl, world: World, pattern: str) -> None:
    done = empty("model", "pull", spelled(pattern, world), expect=3)

    assert done.stdout == ""
    assert tags(empty) == {}


@pytest.mark.parametrize("pattern", ["small@{id}", "{id}", "small:latest@{id}"])
def test_tag_of_a_wrong_digest_names_nothing(filled: Smolctl, pattern: str) -> None:
    before = tags(filled)

    filled("model", "tag", pattern.format(id=f"sha256:{'0' * 64}"), "mine", expect=3)

    assert tags(filled) == before


def test_a_digest_cannot_be_given_as_a_name(filled: Smolctl, world: World) -> None:
    before = tags(filled)

    done = filled("model", "tag", "small", f"mine@{world.decoy.id}", expect=2)

    assert "digest" in done.stderr
    assert tags(filled) == before


def test_an_id_repairs_what_is_damaged(filled: Smolctl, world: World) -> None:
    weights = filled.home / "blobs" / "sha256" / world.model.layers[0][7:]
    weights.unlink()

    filled("model", "pull", world.model.id[7:19], expect=0)

    assert weights.is_file()


def test_a_digest_repairs_a_damaged_config(filled: Smolctl, world: World) -> None:
    config = filled.home / "blobs" / "sha256" / world.model.config[7:]
    config.write_bytes(b"damaged")
    filled("model", "inspect", "small", expect=6)

    filled("model", "pull", f"small@{world.model.id}", expect=0)

    filled("model", "inspect", "small", expect=0)


def test_rm_by_id_wants_force_when_there_are_several_names(filled: Smolctl, world: World) -> None:
    filled("model", "tag", "small", "mine", expect=0)
    before = tags(filled)

    done = filled("model", "rm", world.model.id[7:19], expect=2)

    assert "ai/small:latest" in done.stderr
    assert "ai/mine:latest" in done.stderr
    assert "--force" in done.stderr
    assert tags(filled) == before
    filled("model", "rm", "--force", world.model.id[7:19], expect=0)
    assert list(tags(filled)) == [world.decoy.id]


def test_two_registries_with_one_name_are_two_models(filled: Smolctl, world: World) -> None:
    filled("model", "tag", "small:decoy", "localhost:1/ai/small:latest", expect=0)

    ours = json.loads(filled("model", "inspect", "small", "--json", expect=0).stdout)
    theirs = filled("model", "inspect", "localhost:1/ai/small", "--json", expect=0)

    assert ours["id"] == world.model.id
    assert json.loads(theirs.stdout)["id"] == world.decoy.id


def test_offline_takes_what_is_here_and_asks_no_registry(filled: Smolctl, world: World) -> None:
    asked = len(world.registry.requests)

    pulled = filled("model", "pull", "-q", "small", "--offline", expect=0)
    filled.environment["SMOLCTL_OFFLINE"] = "1"
    filled("model", "resolve", "small", "--pull", "missing", expect=0)

    assert pulled.stdout == f"{world.model.id}\n"
    assert len(world.registry.requests) == asked
