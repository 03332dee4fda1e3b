"""The completion in zsh: a person's Tab on a terminal."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.shell.conftest import COMPLETIONS, HOSTILE
from tests.shell.interactive import InteractiveShell
from tests.support.docker_registry import require

if TYPE_CHECKING:
    from tests.shell.conftest import Machine

pytestmark = pytest.mark.interop

AUTOLOADED = f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D"
EVALUATED = 'autoload -Uz compinit; compinit -u -D; eval "$(smolctl completion zsh)"'


@pytest.fixture(autouse=True)
def _zsh() -> None:
    require("zsh")


def start(machine: Machine, setup: str = AUTOLOADED) -> InteractiveShell:
    shell = InteractiveShell(["zsh", "-f", "-i"], machine.environment, str(machine.work))
    shell.type(f"PROMPT='$ '; unsetopt prompt_sp; {setup}; printf 'rea%s\\n' dy; clear\n")
    shell.wait_for(lambda screen: screen == "$")
    return shell


def clear(shell: InteractiveShell) -> None:
    shell.type("\x15\x0c")
    shell.wait_for(lambda screen: screen == "$")


@pytest.mark.parametrize("setup", [AUTOLOADED, EVALUATED], ids=["autoloaded", "evaluated"])
def test_tab(machine: Machine, setup: str) -> None:
    with closing(start(machine, setup)) as shell:
        for typed, completed in (
            ("smolctl mod\t", "smolctl model"),
            ("smolctl model li\t", "smolctl model list"),
            ("smolctl model run --tem\t", "run --temperature="),
            ("smolctl model run m -n 3 --sys\t", "-n 3 --system="),
            ("smolctl model run --pull=al\t", "--pull=always"),
            ("smolctl model inspect ai/smollm2:l\t", "smolctl model inspect ai/smollm2:latest"),
            ("smolctl model run smollm2:l\t", "smolctl model run smollm2:latest"),
            ("smolctl model rm localhost:\t", "smolctl model rm localhost:5000/team/m:v1"),
            ("smolctl model run --grammar my\t", r"--grammar my\ grammar.gbnf"),
            ("smolctl model run --system @mod\t", "--system @model.gguf"),
            ("smolctl model run ./mod\t", "smolctl model run ./model.gguf"),
        ):
            shell.type(typed)
            shell.wait_for(completed)
            clear(shell)
        shell.type("smolctl model r\t")
        shown = shell.wait_for("resolve")
        assert "run      -- Run a model: answer a prompt, or chat on a terminal." in shown
        clear(shell)
        shell.type("smolctl model rm ai/smollm2:\t")
        shown = shell.wait_for("latest ")
        assert re.search("360M-Q4_K_M +ai/smollm2:latest +-- aaaaaaaaaaaa", shown)


def test_what_is_static_asks_nothing(machine: Machine) -> None:
    with closing(start(machine)) as shell:
        shell.type("smolctl model run --pull \t")
        shell.wait_for("missing")
        clear(shell)
        shell.type("smolctl model s\t")
        shown = shell.wait_for("status")
        assert "show" not in shown  # an alias
    assert machine.asked == []


def test_a_name_runs_nothing(machine: Machine) -> None:
    machine.answer(*HOSTILE)
    with closing(start(machine)) as shell:
        shell.type("smolctl model rm \t\t")
        shell.wait_for("fine:one")
        clear(shell)
        shell.type("smolctl model rm ai/f\t")
        shell.wait_for("ai/fine:one")
    assert not list(machine.folder.rglob("ran"))
