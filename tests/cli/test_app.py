"""The tree of commands: what it finds, what it suggests, and that its table is right."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary
from smolctl.cli.app import ALIASES, TOP_VERBS, application, verbs_below
from smolctl.errors import EXIT_CODES

if TYPE_CHECKING:
    from pathlib import Path

VERBS = dict(verbs_below(TOP_VERBS))


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLCTL_HOME", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_each_verb_has_a_module_with_a_command_and_examples(path: tuple[str, ...]) -> None:
    module = importlib.import_module(f"smolctl.cli.{VERBS[path].module}")

    assert inspect.getdoc(module.command)
    assert module.EXAMPLES
    for comment, _line in module.EXAMPLES:
        assert comment[0].isupper()
        assert not comment.endswith(".")
    assert any(f"smolctl {' '.join(path)}" in line for _, line in module.EXAMPLES)


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_the_examples_parse(path: tuple[str, ...]) -> None:
    """Each `smolctl …` in an example is a line that the command takes."""
    module = importlib.import_module(f"smolctl.cli.{VERBS[path].module}")
    for _, line in module.EXAMPLES:
        found = [words for words in commands(line) if "smolctl" in words]
        assert found
        for words in found:
            xargs = words[0] == "xargs"
            assert_parses(words[words.index("smolctl") + 1 :], with_names_from_xargs=xargs)


def commands(line: str) -> list[list[str]]:
    """The commands of a line, those in `$(…)` too, each as its words."""
    line = re.sub(r" [<>]+ [\w./~$-]+", "", line)  # to and from files
    inner = re.findall(r"\$\((.*?)\)", line)
    lexer = shlex.shlex(re.sub(r"\$\(.*?\)", "", line), posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for token in lexer:
        if token == "|":
            found.append([])
        else:
            found[-1].append(token)
    return [*found, *(words for each in inner for words in commands(each))]


def assert_parses(arguments: list[str], *, with_names_from_xargs: bool) -> None:
    from smolctl.cli.output import Output

    group = application()
    context = group.make_context("smolctl", list(arguments), obj=Output())
    rest = [*context._protected_args, *context.args]
    while rest:
        name, found, rest = group.resolve_command(context, rest)
        assert found is not None, name
        if with_names_from_xargs and not hasattr(found, "resolve_command"):
            rest = [*rest, "name"]
        context = found.make_context(name, list(rest), parent=context)
        if not hasattr(found, "resolve_command"):
            return
        group = found
        rest = [*context._protected_args, *context.args]


@pytest.mark.parametrize(("alias", "verb"), ALIASES.items())
def test_an_alias_does_what_its_verb_does(
    alias: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["x"] if verb == "inspect" else []
    code = boundary.run(["model", verb, *line])
    shown = capsys.readouterr()

    assert boundary.run(["model", alias, *line]) == code
    assert capsys.readouterr() == shown


@pytest.mark.parametrize(
    ("line", "guess"),
    [
        (["pull", "x"], "smolctl model pull"),
        (["list"], "smolctl model list"),
        (["modle", "ls"], "smolctl model"),
        (["model", "inspct", "x"], "smolctl model inspect"),
        (["model", "shwo", "x"], "smolctl model show"),
        (["dmeo"], "smolctl demo"),
        (["logs", "sttaus"], "smolctl logs status"),
        (["logs", "remvoe"], "smolctl logs remove"),
        (["model", "sessions", "shwo"], "smolctl model sessions show"),
        (["sessions"], "smolctl model sessions"),
        (["model", "serve"], "smolctl serve"),
        (["model", "login", "docker.io"], "smolctl login"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_a_slip_is_answered_with_what_was_probably_meant(
    line: list[str], guess: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert boundary.run(line) == 2

    assert f"did you mean `{guess}`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("help", "smolctl "),
        ("help model run", "smolctl model run "),
        ("model help run", "smolctl model run "),
        ("model help", "smolctl model "),
        ("logs help", "smolctl logs "),
    ],
)
def test_help_is_a_word_as_well(line: str, usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(line.split()) == 0

    assert capsys.readouterr().out.startswith(f"Usage: {usage}[OPTIONS]"), line


def test_what_resembles_nothing_gets_no_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(["model", "xyzzy"]) == 2

    assert "did you mean" not in capsys.readouterr().err


def test_the_help_says_what_each_exit_code_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run(["--help"]) == 0

    shown = capsys.readouterr().out
    for code, meaning in EXIT_CODES.items():
        assert f"{code:>3}  {meaning}" in shown


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_takes_debug(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert boundary.run([*path, "--help"]) == 0

    assert "--debug" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "usage"),
    [
        ("run", "run [OPTIONS] MODEL [PROMPT]..."),
        ("pull", "pull [OPTIONS] MODEL..."),
        ("rm", "rm [OPTIONS] MODEL..."),
        ("tag", "tag [OPTIONS] SOURCE TARGET"),
        ("ls", "ls [OPTIONS] [MODEL]"),
    ],
)
def test_the_usage_says_what_is_required_and_what_may_repeat(
    verb: str, usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    boundary.run(["model", verb, "--help"])

    assert capsys.readouterr().out.splitlines()[0] == f"Usage: smolctl model {usage}"


def test_a_group_with_a_default_verb_means_it_where_none_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert boundary.run(["logs", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    for line in (["logs", "--json"], ["logs", "--debug", "--json"], ["logs", "ls", "--json"]):
        assert boundary.run(line) == 0
        assert capsys.readouterr().out == listed
    for line in (["logs", "--help"], ["logs", "-h"]):
        assert boundary.run(line) == 0
        assert "Commands:" in capsys.readouterr().out
    assert boundary.run(["model", "sessions"]) == 2  # it has none
