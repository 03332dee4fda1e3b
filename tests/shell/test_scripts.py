"""The scripts as files: fresh, about every command, and right as far as text can be."""

from __future__ import annotations

import re
import subprocess

import pytest
from shell_integration import powershell
from shell_integration.tree import Command, read_commands
from shell_integration.values import Kind, UnknownValue, read_value
from typer._click.types import STRING
from typer.core import TyperOption
from write_completions import scripts

from smolctl.cli import boundary
from smolctl.cli.completion import _FILES
from tests.shell.conftest import COMPLETIONS
from tests.support.docker_registry import require

ROOT = read_commands()


def test_the_completions_are_what_the_tool_writes() -> None:
    written = {path.name: path.read_text() for path in COMPLETIONS.iterdir()}
    assert written == scripts(), "run `make completions`"


@pytest.mark.parametrize("shell", _FILES, ids=lambda shell: shell.value)
def test_the_command_prints_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(["completion", shell]) == 0
    assert capsys.readouterr().out == (COMPLETIONS / _FILES[shell]).read_text()


@pytest.mark.parametrize("name", scripts())
def test_each_script_has_every_command_and_every_option(name: str) -> None:
    text = (COMPLETIONS / name).read_text()
    words = set(re.findall(r"[\w-]+", text))
    for command in ROOT.walk():
        assert {command.path[-1], *command.aliases} <= words, command.name
        for option in command.options:
            # fish's rules have options without their dashes.
            assert option.names[-1] in words or option.names[-1].lstrip("-") in words


def test_what_a_text_means_has_to_be_said() -> None:
    option = TyperOption(param_decls=["--colour"], type=STRING)
    with pytest.raises(UnknownValue, match="--colour of `smolctl paint`"):
        read_value(option, "smolctl paint", "COLOUR")


def test_names_are_asked_for_where_they_stand() -> None:
    asked = {
        f"{command.name} {argument.usage}": argument.value.kind
        for command in ROOT.walk()
        for argument in command.arguments
    }
    assert asked["smolctl model run MODEL"] is Kind.models
    assert asked["smolctl model run [PROMPT]..."] is Kind.nothing
    assert asked["smolctl model unload [MODEL]..."] is Kind.running
    assert asked["smolctl model sessions show NAME"] is Kind.sessions
    assert asked["smolctl logout [REGISTRY]"] is Kind.registries


def test_no_two_options_of_a_command_differ_in_capitals_alone() -> None:
    """PowerShell's tables do not tell them apart."""
    for command in ROOT.walk():
        names = [name for option in command.own_options for name in option.names]
        assert len({name.lower() for name in names}) == len(names), command.name


def test_powershell_is_balanced() -> None:
    text = (COMPLETIONS / "smolctl.ps1").read_text()
    code = re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"(?m)^\s*#.*$", "", text))
    depth: list[str] = []
    for letter in code:
        if letter in "({[":
            depth.append(letter)
        elif letter in ")}]":
            assert depth
            assert depth.pop() + letter in ("()", "{}", "[]")
    assert depth == []
    assert "'" not in code.replace("''", "")


def test_powershell_has_each_command_as_a_table() -> None:
    commands = (
        Command(
            path=("smolctl", "it's"),
            summary="Say `it's`",
            paragraphs=(),
            aliases=("its",),
            arguments=(),
            options=(),
            examples=(),
            commands=(),
        ),
    )
    root = Command(("smolctl",), "", (), (), (), (), (), commands)
    assert (
        powershell.script(root)
        .partition("$tree = @{\n")[2]
        .startswith("""\
        'smolctl' = @{
            Commands = [ordered]@{
                'it''s' = 'Say `it''s`'
            }
            Aliases = [ordered]@{
                'its' = 'it''s'
            }
            Arguments = @()
            Repeats = $false
            Options = [ordered]@{}
            Valued = [ordered]@{}
        }
        'smolctl it''s' = @{
""")
    )


@pytest.mark.interop
@pytest.mark.parametrize(
    "line",
    [
        ("shellcheck", "smolctl.bash"),
        ("bash", "-n", "smolctl.bash"),
        ("zsh", "-n", "_smolctl"),
        ("fish", "-n", "smolctl.fish"),
    ],
    ids=" ".join,
)
def test_checkers_have_nothing_to_say(line: tuple[str, ...]) -> None:
    require(line[0])
    done = subprocess.run(line, cwd=COMPLETIONS, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
