"""The shape that ARCHITECTURE.md promises, read from the sources themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import smolctl
from smolctl.errors import EXIT_CODES
from smolctl.settings import ENVIRONMENT

PACKAGE = Path(smolctl.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FOUNDATION = {"errors", "settings", "notes", "huge_pages", "listening", "__version__"}
LAYERS = {
    "model": {"model"},
    "store": {"store", "model"},
    "configuration": {"model"},
    "registry": {"registry", "configuration", "store", "model"},
    "engine": {"engine", "model"},
    "runner": {"runner", "registry", "configuration", "engine", "store", "model"},
    "history": {"history", "engine"},
    "demo": {"demo", "engine", "store", "model"},
    "cli": {
        "cli",
        "quick",
        "demo",
        "history",
        "runner",
        "registry",
        "configuration",
        "engine",
        "store",
        "model",
    },
}
ONLY_CLI = {"prompt_toolkit", "rich", "typer"}
LAST_RESORT = {
    "cli/boundary.py",
    "cli/markdown/view.py",
    "engine/scheduler.py",
    "registry/push.py",
    "registry/side_by_side.py",
    "registry/transfer.py",
    "runner/api/app.py",
    "runner/batch/batch.py",
    "runner/gateway/threads.py",
}
"""Where everything may be caught: at the border of the program, at that of a thread, whose errors
are raised again in the thread that waits for it, and at that of a request, whose client is told
(in the stream, where one has begun)."""


def _name(path):
    return str(path.relative_to(PACKAGE))


def _imports(path):
    """Yield the dotted names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "smolctl":
                yield from (f"smolctl.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_go_in_one_direction(path):
    layer = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if layer not in LAYERS:
        return
    for name in _imports(path):
        if name.startswith("smolctl."):
            target = name.split(".")[1]
            assert target in LAYERS[layer] | FOUNDATION, f"{layer} imports {name}"
        elif name.split(".")[0] in ONLY_CLI:
            assert layer == "cli", f"{layer} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_only_the_command_line_prints_and_only_the_boundary_catches_everything(path):
    in_cli = path.relative_to(PACKAGE).parts[0] in ("cli", "__main__.py")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert in_cli or node.func.id not in ("print", "input"), _name(path)
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.id if isinstance(node.type, ast.Name) else ""
            everything = node.type is None or caught in ("Exception", "BaseException")
            assert not everything or _name(path) in LAST_RESORT


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 450, "time to ask whether it holds two"


WATCH = """
import sys
def audit(event, arguments):
    if event == "open" and any(c in str(arguments[1] or "r") for c in "wax+"):
        sys.exit(f"opens {arguments[0]} for writing")
    if event.startswith(("socket.connect", "subprocess")):
        sys.exit(event)
sys.dont_write_bytecode = True
sys.addaudithook(audit)
"""


def test_no_module_does_anything_when_it_is_imported():
    names = [
        ".".join(("smolctl", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in MODULES
        if path.name not in ("__init__.py", "__main__.py")
    ]
    program = WATCH + "".join(f"import {name}\n" for name in names)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_readme_lists_every_exit_code():
    readme = (PACKAGE.parent / "README.md").read_text()
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in readme


def test_the_readme_lists_every_variable():
    readme = (PACKAGE.parent / "README.md").read_text()
    table = readme.partition("### Environment")[2].partition("\n### ")[0]
    rows = dict(line.strip("| ").split(" | ") for line in table.splitlines()[4:] if line)
    shown = {names.replace("`", ""): meaning for names, meaning in rows.items()}
    assert shown == ENVIRONMENT
