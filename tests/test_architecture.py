"""The shape that ARCHITECTURE.md promises, read from the sources themselves."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

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


@cache
def _nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def _imports(path):
    """Yield the dotted names that a module imports, anywhere in it."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "smolctl":
                yield from (f"smolctl.{alias.name}" for alias in node.names)
            else:
                yield node.module


def _is_allowed(layer, name):
    if name.startswith("smolctl."):
        return name.split(".")[1] in LAYERS[layer] | FOUNDATION
    return name.split(".")[0] not in ONLY_CLI or layer == "cli"


def test_imports_go_in_one_direction():
    layers = {path: path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    wrong = [
        f"{_name(path)} imports {name}"
        for path, layer in layers.items()
        if layer in LAYERS
        for name in _imports(path)
        if not _is_allowed(layer, name)
    ]
    assert wrong == []


def test_only_the_command_line_prints():
    assert MODULES
    wrong = [
        f"{_name(path)}:{node.lineno}"
        for path in MODULES
        if path.relative_to(PACKAGE).parts[0] not in ("cli", "__main__.py")
        for node in _nodes(path)
        if isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in ("print", "input")
    ]
    assert wrong == []


def test_only_the_boundary_catches_everything():
    wrong = [
        f"{_name(path)}:{node.lineno}"
        for path in MODULES
        if _name(path) not in LAST_RESORT
        for node in _nodes(path)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None
        or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
    ]
    assert wrong == []


def test_a_file_is_one_idea():
    long = {_name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in long.items() if lines > 450} == {}, (
        "time to ask whether they hold two"
    )


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
