"""What the documents say of the command line is so: every command and flag they name is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from shell_integration.tree import Command, read_commands

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
DOCUMENTS = [path for path in DOCUMENTS if path.exists()]
OTHERS = {"--staged", "--password-stdin"}
"""Flags of other programs that stand in one line with smolctl."""


@cache
def _tree() -> Command:
    return read_commands()


def _find(words: list[str]) -> Command:
    """Follow `words` from `smolctl` on, as far as they are commands."""
    found = _tree()
    for word in words:
        names = {each.path[-1]: each for each in found.commands}
        for each in found.commands:
            names.update(dict.fromkeys(each.aliases, each))
        if word not in names:
            break
        found = names[word]
    return found


def _code(text: str) -> list[str]:
    """Return the lines of shell in `text`, and what it has between backticks."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return lines + [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose)]


def _calls(path: Path) -> list[str]:
    """Return each call of smolctl, without what stands before it and after it."""
    calls = []
    for line in _code(path.read_text(encoding="utf-8")):
        for call in re.split(r"\bsmolctl (?=[a-z])", line)[1:]:
            calls.append(re.split(r"\s[|<>#]|&&|\|\||[;)]", call)[0].strip())
    return calls


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_commands_and_flags_in_a_document_exist(path: Path) -> None:
    for call in _calls(path):
        words = re.sub(r"""(['"]).*?\1""", "TEXT", call).rstrip(",").split()
        command = _find(words)
        if not words[0].startswith("-"):
            assert command is not _tree(), f"no such command: smolctl {call}"
        if words[:1] == ["model"] and len(words) > 1 and words[1].isalpha() and words[1].islower():
            assert len(command.path) > 2, f"no such command: smolctl {call}"
        known = {name for option in command.own_options for name in option.names} | {"--help", "-h"}
        for word in words:
            if re.fullmatch(r"--?[a-z][a-z-]*", word.rstrip(",.")) and word not in OTHERS:
                assert word.rstrip(",.") in known, f"{word} in: smolctl {call}"


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
