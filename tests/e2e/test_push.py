"""`smolctl model push` as a person or a script would use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import World
    from tests.support.faulty_registry import FaultyRegistry
    from tests.support.processes import Smolctl


def test_a_model_goes_to_another_registry_and_comes_back(
    filled: Smolctl, world: World, registry: FaultyRegistry
) -> None:
    name = f"{registry.host}/team/model:v1"
    filled("model", "tag", "small", name, expect=0)

    done = filled("model", "push", name, expect=0)

    assert done.stdout.startswith(f"Pushed {name} (")
    assert f"ID {world.model.id[7:19]}" in done.stdout
    assert "is there, verified" in done.stderr
    again = filled("model", "push", name, "--json", expect=0)
    assert json.loads(again.stdout)[0] == {
        "model": name,
        "id": world.model.id,
        "size": sum(map(len, world.model.blobs.values())),
        "sent": 0,
        "mounted": 0,
        "changed": False,
    }
    filled("model", "rm", "--force", world.model.id, expect=0)
    assert filled("model", "pull", "-q", name, expect=0).stdout == f"{world.model.id}\n"


def test_what_cannot_be_pushed_is_said(filled: Smolctl, world: World) -> None:
    nothing = filled("model", "push", "nothing", expect=3)
    by_id = filled("model", "push", world.model.id[7:19], expect=2)
    offline = filled("model", "push", "small", "--offline", expect=2)

    assert "no such model here: nothing" in nothing.stderr
    assert "smolctl model tag" in by_id.stderr_lines[1]
    assert "--offline" in offline.stderr
    assert [nothing.stdout, by_id.stdout, offline.stdout] == ["", "", ""]


def test_a_model_is_copied_without_being_kept(
    empty: Smolctl, world: World, registry: FaultyRegistry
) -> None:
    name = f"{registry.host}/team/copy:v1"

    done = empty("model", "cp", "small", name, expect=0)

    assert done.stdout.startswith(f"Copied {name} (")
    assert empty("model", "ls", "-q", expect=0).stdout == ""
    assert empty("model", "pull", "-q", name, expect=0).stdout == f"{world.model.id}\n"
    assert "not found" in empty("model", "cp", "nothing", name, expect=3).stderr
