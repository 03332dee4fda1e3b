"""What SECURITY.md says: each test that it names is there, and what may start programs."""

import ast
import re
from functools import cache
from pathlib import Path

import smolctl

TESTS = Path(__file__).parent
PACKAGE = Path(smolctl.__file__).parent
DOCUMENT = TESTS.parent / "SECURITY.md"
STARTING = {
    "subprocess",
    "multiprocessing",
    "pty",
    "os.system",
    "os.popen",
    "os.fork",
    "os.forkpty",
}
STARTERS = {
    "cli/chat/clipboard.py",  # the programs that own the clipboard
    "cli/demo.py",  # smolctl itself
    "huge_pages.py",  # this command anew
    "registry/credential_program.py",  # a credential helper, by its name alone
    "runner/start.py",  # a worker
}
COMPILING = {"eval", "exec", "compile", "__import__"}
UNPICKLING = {"pickle", "marshal", "shelve", "code", "runpy"}


@cache
def _tests(path):
    return set(re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))


@cache
def _nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def _names(path):
    """Yield what a module imports, as `a` and `a.b`, and what it has of names, as `a.b`."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def _starts_programs(name):
    return name in STARTING or name.startswith(("os.exec", "os.spawn", "os.posix_spawn"))


def test_every_test_that_is_named_is_there():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", DOCUMENT.read_text())

    missing = [f"{file}::{test}" for file, test in named if test not in _tests(TESTS / file)]

    assert len(named) > 80
    assert missing == []


def test_every_line_of_a_table_names_a_test():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    claims = [row for row in rows if not row.startswith("| what holds |")]

    assert [row for row in claims if "::test_" not in row.split(" | ")[1]] == []


def test_only_these_modules_start_programs():
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(map(_starts_programs, _names(path)))
    }

    assert found == STARTERS


def test_no_text_is_run_as_python():
    for path in PACKAGE.rglob("*.py"):
        assert UNPICKLING.isdisjoint(_names(path)), path
        called = {
            node.func.id
            for node in _nodes(path)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert COMPILING.isdisjoint(called), path
