"""`df`, `prune` and `verify`: what the cache takes, what goes, and what is damaged and mended."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from smolctl.store.store import Store
from tests.e2e.test_broken_off_pulls import LAYER, MODEL, PART, wait_until, written
from tests.support.blob_faults import asks_from
from tests.support.faulty_registry import FaultyRegistry, Packed, Pause, pack
from tests.support.pulling import unfinished, weights
from tests.support.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Smolctl

SMALL = Packed.of_layers(weights(1_500_000, 7), b"terms")


@pytest.fixture
def name(smolctl: Smolctl, registry: FaultyRegistry) -> str:
    """The name of a model that was pulled."""
    registry.publish("team/small", "v1", SMALL)
    name = f"{registry.host}/team/small:v1"
    smolctl("model", "pull", "-q", name, expect=0)
    return name


def blob(smolctl: Smolctl, digest: str) -> Path:
    return Store(smolctl.home).root / "blobs" / "sha256" / digest[7:]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_what_a_killed_pull_left_is_shown_kept_and_deleted_when_asked_for(
    smolctl: Smolctl, registry: FaultyRegistry
) -> None:
    registry.publish("team/model", "v1", MODEL)
    pause = Pause()
    registry.spoil(LAYER, pause, when=asks_from(PART), times=1)
    store = Store(smolctl.home)
    process = smolctl.start("model", "pull", "-q", f"{registry.host}/team/model:v1")
    try:
        assert pause.reached.wait(30)
        wait_until(lambda: written(store) >= PART, "a part is there")
        busy = json.loads(smolctl("model", "df", "--json", expect=0).stdout)["partial"]
        done = smolctl("model", "prune", "--older-than", "0", expect=0)
        assert "Total reclaimed space: 0 B" in done.stdout
        assert "a model is on its way in" in done.stderr
    finally:
        process.kill()
        process.communicate()
        pause.go_on.set()
    assert (busy["count"], busy["reclaimable"], busy["items"][0]["in_use"]) == (1, 0, True)

    left = json.loads(smolctl("model", "df", "--json", expect=0).stdout)["partial"]
    assert left["reclaimable"] == left["size"] >= PART
    assert left["items"][0]["digest"] == LAYER
    kept = smolctl("model", "prune", expect=0)
    assert kept.stdout == "Total reclaimed space: 0 B\n"
    assert "1 partial download" in kept.stderr
    assert unfinished(store) == [LAYER]

    planned = smolctl("model", "prune", "--older-than", "0", "--dry-run", expect=0)
    assert unfinished(store) == [LAYER]
    done = smolctl("model", "prune", "--older-than", "0", expect=0)
    assert planned.stdout.replace("Would delete", "Deleted").replace("able", "ed") == done.stdout
    assert f"Deleted: {LAYER[7:19]} (partial download, " in done.stdout
    assert unfinished(store) == []
    assert json.loads(smolctl("model", "df", "--json", expect=0).stdout)["size"] == 0


def test_a_flipped_bit_is_found_and_that_blob_alone_is_fetched(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    whole = smolctl("model", "verify", expect=0)
    assert whole.stdout == "Verified: 4 blobs, 1.50 MB, all whole\n"
    assert whole.stderr == ""
    flip(blob(smolctl, SMALL.layers[0]))
    before, requests = registry.sent.total(), len(registry.requests)

    found = smolctl("model", "verify", name, "--json")

    assert found.code == 6
    assert "smolctl model verify --repair" in found.stderr
    (damage,) = json.loads(found.stdout)["damaged"]
    assert (damage["digest"], damage["problem"]) == (SMALL.layers[0], "wrong digest")
    assert damage["models"] == [name]
    assert len(registry.requests) == requests
    done = smolctl("model", "verify", "--repair", expect=0)
    assert done.stdout.splitlines() == [
        f"Repaired: {SMALL.layers[0][7:19]} (weights, 1.50 MB, wrong digest): {name}",
        "Verified: 4 blobs, 1.50 MB, all whole",
    ]
    assert registry.sent.total() - before == 1_500_000
    assert [each.method for each in registry.requests[requests:]] == ["GET"]
    smolctl("model", "verify", "-q", expect=0)


def test_what_cannot_be_repaired_is_named_and_the_exit_code_stays(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    mine = f"{registry.host}/mine:v1"
    smolctl("model", "tag", name, mine, expect=0)
    smolctl("model", "rm", name, expect=0)
    flip(blob(smolctl, SMALL.layers[0]))

    done = smolctl("model", "verify", mine, "--repair")

    assert done.code == 6
    assert done.stdout.startswith(f"Not repaired: {SMALL.layers[0][7:19]}")
    assert "packaged again" in done.stderr
    assert smolctl("model", "verify", "--repair", "--offline").code == 2
    assert smolctl("model", "verify", "nothing").code == 3


def test_models_without_a_tag_go_with_all_which_asks(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    registry.publish("team/small", "v1", Packed.of_layers(weights(1_500_000, 7), b"new terms"))
    smolctl("model", "pull", "-q", name, expect=0)
    assert len(smolctl("model", "ls", "-q", expect=0).stdout.split()) == 2
    assert "--all deletes" in smolctl("model", "prune", expect=0).stderr
    refused = smolctl("model", "prune", "--all")
    assert (refused.code, refused.stdout) == (2, "")
    assert "--yes" in refused.stderr
    code, _ = smolctl.on_a_terminal("model", "prune", "--all", dialogue=[(rb"\[y/N\]", b"n\n")])
    assert code == 0
    assert blob(smolctl, SMALL.id).exists()

    done = json.loads(smolctl("model", "prune", "-a", "-y", "--json", expect=0).stdout)

    assert [each["id"] for each in done["models"]] == [SMALL.id]
    assert not blob(smolctl, SMALL.id).exists()
    assert blob(smolctl, SMALL.layers[0]).exists(), "the newer model has it as well"
    smolctl("model", "verify", expect=0)


def test_a_damaged_index_is_made_anew_and_pulling_names_the_models_again(
    smolctl: Smolctl, registry: FaultyRegistry, name: str
) -> None:
    (smolctl.home / "index.json").write_text("{")
    before = registry.sent.total()
    failed = smolctl("model", "verify")
    assert (failed.code, failed.stdout) == (6, "")
    assert failed.stderr_lines[1] == (
        "  `smolctl model verify --repair` makes a new one of what is here."
    )

    done = smolctl("model", "verify", "--repair", expect=0)

    assert f"  {SMALL.id[7:19]}" in done.stderr_lines
    assert smolctl("model", "ls", "-q", expect=0).stdout.strip() == SMALL.id[7:19]
    smolctl("model", "pull", "-q", name, expect=0)
    assert registry.sent.total() - before == len(SMALL.manifest)
    assert "team/small:v1" in smolctl("model", "ls", expect=0).stdout


def test_an_index_that_was_lost_is_missed_and_costs_no_model(smolctl: Smolctl, name: str) -> None:
    (smolctl.home / "index.json").unlink()
    missing = f"{smolctl.home / 'index.json'} is missing"
    assert missing in smolctl("model", "df", expect=0).stderr
    pruned = smolctl("model", "prune", "--all", "--yes", expect=0)
    assert "Total reclaimed space: 0 B" in pruned.stdout
    assert missing in pruned.stderr
    assert missing in smolctl("model", "verify", expect=6).stderr
    smolctl("model", "verify", "--repair", expect=0)
    smolctl("model", "pull", "-q", name, expect=0)
    smolctl("model", "verify", name, expect=0)


def test_on_a_narrow_terminal_a_models_name_is_whole(smolctl: Smolctl, name: str) -> None:
    code, drawn = smolctl.on_a_terminal("model", "df", "-v", columns=len(name) + 15)
    assert code == 0
    lines = drawn.decode().splitlines()
    assert next(line.split() for line in lines if "UNIQUE SIZE" in line) == [
        "MODEL", "NAME", "UNIQUE", "SIZE",
    ]  # fmt: skip
    assert any(line.startswith(name) for line in lines)


def test_a_full_disk_lets_go_of_models_and_says_what_else_to_do(
    smolctl: Smolctl, registry: FaultyRegistry, tmp_path: Path
) -> None:
    for path, layer in (("one", b"one" * 10_000), ("two", b"two" * 10_000)):
        registry.publish(f"team/{path}", "v1", pack(layer))
    one, two = (f"{registry.host}/team/{path}:v1" for path in ("one", "two"))
    with small_disk(tmp_path / "disk") as disk:
        smolctl.environment["SMOLCTL_HOME"] = str(disk.folder / "models")
        smolctl("model", "pull", one, two, expect=0)
        smolctl("model", "tag", two, "two:again", expect=0)
        with suppress(OSError), (disk.folder / "another").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

        smolctl("model", "df", expect=0)
        smolctl("model", "prune", "--all", "--yes", expect=0)
        name = smolctl("model", "rm", "two:again", expect=8)
        assert "smolctl model rm --force ID" in name.stderr_lines[1]
        smolctl("model", "rm", one, expect=0)
        assert smolctl("model", "ls", "-q", expect=0).stdout.count("\n") == 1
