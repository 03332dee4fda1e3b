"""The completion in fish, by fish's own way to ask what it would offer."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.shell.conftest import COMPLETIONS, HOSTILE, MODELS
from tests.support.docker_registry import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.shell.conftest import Machine

pytestmark = pytest.mark.interop

SCRIPT = COMPLETIONS / "smolctl.fish"


@pytest.fixture(autouse=True)
def _fish() -> None:
    require("fish")


def candidates(machine: Machine, lines: Sequence[str]) -> list[list[tuple[str, str]]]:
    """What fish offers at the end of each line, with what it shows beside it."""
    program = f"source {SCRIPT}; for line in $argv; echo '=='; complete -C $line; end"
    done = subprocess.run(
        ["fish", "--no-config", "-c", program, *lines],
        env=dict(machine.environment),
        cwd=machine.work,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    parts = done.stdout.split("==\n")[1:]
    return [
        [(name, note) for name, _, note in (line.partition("\t") for line in part.splitlines())]
        for part in parts
    ]


STATIC = {
    "smolctl mod": ["model"],
    "smolctl log": ["login", "logout", "logs"],
    "smolctl model r": ["resolve", "rm", "run"],
    "smolctl model li": ["list"],
    "smolctl model se": ["search", "sessions"],
    "smolctl model list --j": ["--json"],
    "smolctl model sessions s": ["show"],
    "smolctl --debug model unl": ["unload"],
    "smolctl model run --tem": ["--temperature"],
    "smolctl model run --pull n": ["never", "newer"],
    "smolctl model run --pull=al": ["--pull=always"],
    "smolctl model run --grammar my": ["my grammar.gbnf"],
    "smolctl model run --system @my": ["@my grammar.gbnf"],
    "smolctl model run --system=@mod": ["--system=@model.gguf"],
    "smolctl model run m ab": [],
    "smolctl model tag ai/smollm2:latest ai/": [],
    "smolctl logs --cou": ["--count"],
    "smolctl completion f": ["fish"],
}
ASKED = {
    "smolctl model run ": list(MODELS),
    "smolctl model rm ai/smollm2:l": ["ai/smollm2:latest"],
    "smolctl model show smollm2:l": ["smollm2:latest"],
    "smolctl model inspect localhost:5000/t": ["localhost:5000/team/m:v1"],
    "smolctl model rm localhost:5000/team/m:v1 ai/smollm2:3": ["ai/smollm2:360M-Q4_K_M"],
    "smolctl model run -n 5 --no-stream ai/smollm2:3": ["ai/smollm2:360M-Q4_K_M"],
    "smolctl logs list -m ai/smollm2:l": ["ai/smollm2:latest"],
    "smolctl logs list --model=ai/smollm2:l": ["--model=ai/smollm2:latest"],
    "smolctl model run ./mod": ["./model.gguf"],
}


def test_what_is_known_without_asking(machine: Machine) -> None:
    offered = candidates(machine, list(STATIC))
    shown = [sorted(name for name, _ in each) for each in offered]
    assert dict(zip(STATIC, shown, strict=True)) == STATIC
    assert machine.asked == []
    assert offered[0] == [("model", "Work with models: run, pull, list, remove.")]


def test_names(machine: Machine) -> None:
    offered = candidates(machine, list(ASKED))
    shown = [[name for name, _ in each] for each in offered]
    assert dict(zip(ASKED, shown, strict=True)) == ASKED
    assert offered[1] == [("ai/smollm2:latest", "aaaaaaaaaaaa")]


def test_a_name_runs_nothing(machine: Machine) -> None:
    machine.answer(*HOSTILE)
    (offered,) = candidates(machine, ["smolctl model rm "])
    assert sorted(name for name, _ in offered) == sorted(HOSTILE)
    assert not list(machine.folder.rglob("ran"))
