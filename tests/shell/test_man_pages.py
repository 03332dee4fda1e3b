"""The man pages: fresh, one for each command, and read by man without a warning."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from shell_integration import roff
from shell_integration.man_page import man_pages, references
from shell_integration.tree import read_commands

from smolctl.errors import EXIT_CODES
from smolctl.settings import ENVIRONMENT
from tests.shell.conftest import ROOT
from tests.support.docker_registry import require

FOLDER = ROOT / "man"
PAGES = man_pages(read_commands())


def test_the_pages_are_what_the_tool_writes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == PAGES, "run `make man`"


def test_every_command_has_a_page_and_every_page_that_is_named_is_there() -> None:
    assert {f"{'-'.join(each.path)}.1" for each in read_commands().walk()} == set(PAGES)
    assert {f"{name}.1" for name in references(PAGES.values())} == set(PAGES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - b", "a - b"),
        ("with --json", r"with \fB\-\-json\fR"),
        ("`a-b` or -n", r"\fBa\-b\fR or \fB\-n\fR"),
        (r"C:\new", r"C:\enew"),
        ("it's ~ ^ é …", r"it\(aqs \(ti \(ha \[u00E9] ..."),
        ("a well-known word", "a well-known word"),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert roff.prose(text) == expected


def test_no_line_of_text_is_taken_for_a_request() -> None:
    assert roff.line(".gguf files") == r"\&.gguf files"
    assert roff.line(roff.literal("'a'")) == r"\(aqa\(aq"


def shown(name: str) -> str:
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(FOLDER / name)],
        env={**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)


@pytest.mark.interop
def test_man_shows_every_page_without_a_warning() -> None:
    require("man")
    for name in PAGES:
        assert name.removesuffix(".1") in shown(name)


@pytest.mark.interop
def test_a_page_says_what_the_help_says_as_it_is_typed() -> None:
    require("man")
    text = shown("smolctl-model-run.1")
    assert "smolctl model run [OPTIONS] MODEL [PROMPT]..." in text
    assert "--pull missing|always|newer|never" in text
    assert "-n, --max-tokens N" in text
    assert "xargs -P4 -I{} smolctl model run ai/smollm2 --no-stream 'Translate: {}'" in text


@pytest.mark.interop
def test_the_first_page_has_the_codes_the_variables_and_the_files() -> None:
    require("man")
    text = shown("smolctl.1")
    for code in EXIT_CODES:
        assert re.search(rf"(?m)^\s+{code}\s+\w", text)
    for names in ENVIRONMENT:
        assert names in text
    assert "~/.config/smolctl/config.toml" in text


@pytest.mark.interop
def test_mandoc_misses_the_date_alone() -> None:
    require("mandoc")
    paths = [str(FOLDER / name) for name in PAGES]
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *paths], capture_output=True, text=True, timeout=60
    )
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []
