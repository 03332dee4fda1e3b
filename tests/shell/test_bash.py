"""The completion in bash: its function as bash calls it, and a person's Tab on a terminal."""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.shell.conftest import COMPLETIONS, HOSTILE, MODELS
from tests.shell.interactive import InteractiveShell
from tests.support.docker_registry import require

if TYPE_CHECKING:
    from tests.shell.conftest import Machine

pytestmark = pytest.mark.interop

SCRIPT = COMPLETIONS / "smolctl.bash"
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")


@pytest.fixture(autouse=True)
def _bash() -> None:
    require("bash")


def candidates(
    machine: Machine, line: str, *, breaks: str = ":=@", posix: bool = False
) -> list[str]:
    """What the script offers at the end of `line`, split as bash does at the letters `breaks`."""
    pieces = [
        piece
        for word in re.findall(r"\S+", line)
        for piece in re.findall(rf"[^{breaks}]+|[{breaks}]+" if breaks else r"\S+", word)
    ]
    if line.endswith(" "):
        pieces.append("")
    # What bash takes for the word begins after the last letter that breaks words.
    replaced = re.split(f"[{breaks}\\s]" if breaks else r"\s", line)[-1]
    program = f"""
        source {SCRIPT}
        COMP_WORDS=("${{@:3}}") COMP_CWORD=$(($# - 3)) COMP_LINE=$1 COMP_POINT=${{#1}}
        _smolctl smolctl "$2" before
        [[ ${{#COMPREPLY[@]}} == 0 ]] || printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    options = ["--posix"] if posix else []
    done = subprocess.run(
        ["bash", "--norc", *options, "-c", program, "bash", line, replaced, *pieces],
        env=dict(machine.environment),
        cwd=machine.work,
        capture_output=True,
        text=True,
        timeout=60,
    )
    # Outside of a completion there is nothing that compopt could set.
    assert done.stderr.replace("\n", "") == "", done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("smolctl mod", ["model"]),
        ("smolctl log", ["login", "logout", "logs"]),
        ("smolctl model r", ["run", "resolve", "rm"]),
        ("smolctl model li", ["list"]),
        ("smolctl model list --j", ["--json"]),
        ("smolctl model sessions s", ["show"]),
        ("smolctl --debug model unl", ["unload"]),
        ("smolctl model run --tem", ["--temperature"]),
        ("smolctl model run --pull ", ["missing", "always", "newer", "never"]),
        ("smolctl model run --pull n", ["newer", "never"]),
        ("smolctl model run --pull=al", ["always"]),
        ("smolctl model run m --format j", ["json"]),
        ("smolctl model run m -- --tem", []),
        ("smolctl model run m tell me ab", []),
        ("smolctl model tag ai/smollm2:latest ai/", []),
        ("smolctl model pull ai/a --retries 5 --pl", ["--plain-http"]),
        ("smolctl logs --cou", ["--count"]),
        ("smolctl completion f", ["fish"]),
    ],
)
def test_what_is_known_without_asking(machine: Machine, line: str, offered: list[str]) -> None:
    for breaks in (":=@", ""):
        shown = candidates(machine, line, breaks=breaks)
        head = "--pull=" if "--pull=" in line and not breaks else ""
        assert shown == [f"{head}{word}" for word in offered]
    assert machine.asked == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("smolctl model run ", list(MODELS)),
        ("smolctl model run ai/smollm2", ["ai/smollm2:360M-Q4_K_M", "ai/smollm2:latest"]),
        ("smolctl model rm ai/smollm2:", ["360M-Q4_K_M", "latest"]),
        ("smolctl model rm ai/smollm2:l", ["latest"]),
        ("smolctl model inspect localhost:5000/t", ["5000/team/m:v1"]),
        ("smolctl model rm localhost:5000/team/m:v1 ai/smollm2:3", ["360M-Q4_K_M"]),
        ("smolctl model run -n 5 --no-stream ai/smollm2:3", ["360M-Q4_K_M"]),
        ("smolctl model run --system=be:brief -f a ai/smollm2:3", ["360M-Q4_K_M"]),
        ("smolctl model show smollm2:l", ["latest"]),
        ("smolctl logs list -m ai/smollm2:l", ["latest"]),
        ("smolctl model pull ghcr.io/team/m", []),
    ],
)
def test_models_whatever_letters_break_words(
    machine: Machine, line: str, offered: list[str]
) -> None:
    assert candidates(machine, line) == offered


def test_a_name_is_whole_where_bash_breaks_no_words(machine: Machine) -> None:
    line = "smolctl model rm ai/smollm2:l"
    assert candidates(machine, line, breaks="") == ["ai/smollm2:latest"]
    assert candidates(machine, line, posix=True) == ["latest"]


def test_a_name_runs_nothing(machine: Machine) -> None:
    machine.answer(*HOSTILE)
    offered = candidates(machine, "smolctl model rm ")
    assert offered == list(HOSTILE)
    assert not list(machine.folder.rglob("ran"))


def test_nothing_is_offered_where_smolctl_fails(machine: Machine) -> None:
    (machine.folder / "bin" / "smolctl").unlink()
    assert candidates(machine, "smolctl model rm ") == []


@pytest.mark.parametrize("bash_completion", [False, True], ids=["alone", "bash-completion"])
def test_tab(machine: Machine, bash_completion: bool) -> None:
    if bash_completion and not BASH_COMPLETION.exists():
        require("bash-completion")
    loaded = f"source {BASH_COMPLETION}; " if bash_completion else ""
    line = ["bash", "--norc", "--noprofile", "-i"]
    with closing(InteractiveShell(line, machine.environment, str(machine.work))) as shell:
        shell.type(f"{loaded}source {SCRIPT}; printf 'rea%s\\n' dy; clear\n")
        shell.wait_for(lambda screen: screen == "$")
        for typed, completed in (
            ("smolctl model inspect ai/smollm2:l\t", "smolctl model inspect ai/smollm2:latest"),
            ("smolctl model rm localhost:\t", "smolctl model rm localhost:5000/team/m:v1"),
            ('smolctl model rm "ai/smollm2:3\t', 'smolctl model rm "ai/smollm2:360M-Q4_K_M"'),
            ("smolctl model run --pull=al\t", "smolctl model run --pull=always"),
            ("smolctl model run --grammar my\t", r"--grammar my\ grammar.gbnf"),
            ("smolctl model run --system @my\t", r"--system @my\ grammar.gbnf"),
            ("smolctl model run ./mod\t", "smolctl model run ./model.gguf"),
            ("smolctl model run ai/smollm2:x hi\x01\x1bf\x1bf\x1bf --lo\t", "run --local ai"),
        ):
            shell.type(typed)
            shell.wait_for(completed)
            shell.type("\x05\x15")
            shell.wait_for(lambda screen: screen == "$")
        shell.type("smolctl model s\t\t")
        shown = shell.wait_for("status")
        assert "sessions" in shown
        assert "show" not in shown  # an alias
