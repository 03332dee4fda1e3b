"""Answers on a terminal, with all between the model and the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyte
import pytest

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

FRANCE = "What is the capital of France?"
CONTROL_C = b"\x03"
PAINTED, CURSOR_SHOWN = b"\x1b[?2026h", b"\x1b[?25h"


def seen(drawn: bytes) -> list[str]:
    screen = pyte.Screen(80, 24)
    pyte.ByteStream(screen).feed(drawn)
    assert not screen.cursor.hidden
    return [row.rstrip() for row in screen.display if row.strip()]


def test_an_answer_is_painted(smolctl: Smolctl, gguf: str) -> None:
    arguments = ("model", "run", "--local", gguf, FRANCE, "--temperature", "0")
    code, drawn = smolctl.on_a_terminal(*arguments)
    assert (code, seen(drawn)) == (0, ["The capital of France is Paris."])
    assert PAINTED in drawn


@pytest.mark.parametrize("plain", ["--no-markdown", "TERM", "NO_COLOR"])
def test_a_person_can_have_it_plain(smolctl: Smolctl, gguf: str, plain: str) -> None:
    flags = [plain] if plain.startswith("--") else []
    if plain == "TERM":
        smolctl.environment["TERM"] = "dumb"
    if plain == "NO_COLOR":
        smolctl.environment["NO_COLOR"] = "1"
    arguments = ("model", "run", "--local", gguf, FRANCE, "--temperature", "0", *flags)
    code, drawn = smolctl.on_a_terminal(*arguments)
    assert (code, seen(drawn)) == (0, ["The capital of France is Paris."])
    assert (PAINTED in drawn) == (plain == "NO_COLOR")
    assert b"\x1b[3" not in drawn


def test_an_interrupted_answer_leaves_the_terminal_as_it_was(
    smolctl: Smolctl, endless: str
) -> None:
    code, drawn = smolctl.on_a_terminal(
        "model", "run", "--local", endless, "Go", "--temperature", "0",
        dialogue=[(rb"\x1b\[\?2026h", CONTROL_C)],
    )  # fmt: skip
    assert code == 130
    assert drawn.rstrip().endswith(CURSOR_SHOWN)
    assert b"^C" not in drawn
    assert seen(drawn)
