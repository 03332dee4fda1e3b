"""A chat as a person has it, on a terminal that draws."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pyte
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Smolctl

ENTER, ALT_ENTER = b"\r", b"\x1b\r"
CONTROL_C, CONTROL_D = b"\x03", b"\x04"
PROMPT = rb">[^\r\n]*\x1b\[\?25h"
"""The prompt, and the cursor shown again after it was drawn."""
ANSWERING = rb"hello.*\x1b\[\?2004h.{40}"
"""The question, the request for marks around what is pasted, and some of the answer."""


@pytest.fixture
def smolctl(smolctl: Smolctl) -> Smolctl:
    """The command, on a terminal that does what xterm does but answers no questions."""
    smolctl.environment["TERM"] = "xterm-256color"
    return smolctl


def screen(drawn: bytes, rows: int = 200) -> list[str]:
    """Return the lines that are on the screen after `drawn`."""
    shown = pyte.Screen(80, rows)
    pyte.ByteStream(shown).feed(drawn)
    return [line.rstrip() for line in shown.display if line.strip()]


def test_a_whole_chat(smolctl: Smolctl, gguf: str, endless: str, tmp_path: Path) -> None:
    saved = tmp_path / "chat.json"
    code, drawn = smolctl.on_a_terminal(
        "model", "run", gguf, "--temperature", "0", "--no-markdown",
        dialogue=[
            (PROMPT, b"What is the capital" + ALT_ENTER + b"of Italy?" + ENTER),
            (rb"Rome\.\r\n.*" + PROMPT, b"/retry" + ENTER),
            (rb"Rome\.\r\n.*" + PROMPT, f"/save {saved}".encode() + ENTER),
            (rb"Saved to", b'"""' + ENTER + b"What is 2 + 3?" + ENTER + b'"""' + ENTER),
            (rb"2 \+ 3 = 5\.\r\n.*" + PROMPT, b"/load " + str(saved).encode() + ENTER),
            (rb"Loaded 1 turn of", b"/set max_tokens 2" + ENTER + b"/show" + ENTER),
            (rb"turns +1", f"/model {endless}".encode() + ENTER),
            (rb"Going on with", b"/set max_tokens none" + ENTER + b"hello" + ENTER),
            (ANSWERING, b"\x1b[200~pasted\rahead\x1b[201~"),
            (rb".", CONTROL_C),
            (rb">.*pasted.*ahead", CONTROL_C + CONTROL_D),
        ],
    )  # fmt: skip
    assert code == 0
    assert b"\x1b[6n" not in drawn  # where the cursor is, was not asked
    lines = screen(drawn)
    first = lines.index("> What is the capital")
    assert lines[first : first + 4] == [
        "> What is the capital", ". of Italy?", "The capital of Italy is Rome.", "> /retry",
    ]  # fmt: skip
    assert lines.count("The capital of Italy is Rome.") == 3  # answered, again, loaded
    assert "turns     1" in lines
    assert "sampling  temperature 0, max_tokens 2" in lines
    assert sum("ahead" in line for line in lines) == 0
    document = json.loads(saved.read_text())
    assert [each["content"] for each in document["messages"]] == [
        "What is the capital\nof Italy?", "The capital of Italy is Rome.",
    ]  # fmt: skip
    history = smolctl.settings.state / "chat_history"
    assert "2 + 3" in history.read_text()


def test_what_was_typed_is_there_in_the_next_chat(smolctl: Smolctl, gguf: str) -> None:
    chat = ("model", "run", "--local", gguf)
    smolctl.on_a_terminal(*chat, dialogue=[(PROMPT, b"/show me" + ENTER), (rb"turns", CONTROL_D)])
    up = [(PROMPT, b"\x1b[A"), (rb"/show me", ENTER), (rb"turns", CONTROL_D)]
    assert smolctl.on_a_terminal(*chat, dialogue=up)[0] == 0


def test_nothing_is_kept_where_that_is_not_wanted(smolctl: Smolctl, gguf: str) -> None:
    smolctl.environment["SMOLCTL_NOHISTORY"] = "1"
    code, _ = smolctl.on_a_terminal(
        "model", "run", "--local", gguf,
        dialogue=[(PROMPT, b"/show" + ENTER), (rb"turns", b"/bye" + ENTER)],
    )  # fmt: skip
    assert code == 0
    assert not (smolctl.settings.state / "chat_history").exists()


def test_a_sigterm_leaves_the_terminal_as_it_was(smolctl: Smolctl, gguf: str, endless: str) -> None:
    at_the_prompt = [(PROMPT, signal.SIGTERM)]
    assert smolctl.on_a_terminal("model", "run", gguf, dialogue=at_the_prompt)[0] == 143
    answering = [(PROMPT, b"hello" + ENTER), (ANSWERING, signal.SIGTERM)]
    assert (
        smolctl.on_a_terminal("model", "run", endless, "--no-markdown", dialogue=answering)[0]
        == 143
    )


def test_a_model_in_this_process_makes_room_for_another(
    smolctl: Smolctl, gguf: str, endless: str
) -> None:
    code, drawn = smolctl.on_a_terminal(
        "model", "run", "--local", endless, "--temperature", "0",
        dialogue=[
            (PROMPT, b"/model ./nonsuch.gguf" + ENTER),
            (rb"no such file", f"/model {gguf}".encode() + ENTER),
            (rb"Going on with", b"What is 2 + 3?" + ENTER),
            (rb"2 \+ 3 = 5\.", CONTROL_D),
        ],
    )  # fmt: skip
    assert code == 0, drawn
