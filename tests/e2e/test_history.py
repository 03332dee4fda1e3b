"""What runs keep: the log beside the short way, sessions, a file that is damaged."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

from smolctl.history.location import HistoryFiles
from tests.e2e.test_run import FRANCE, PARIS

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

ITALY = "What is the capital of Italy?"
GREEDY = ("--temperature", "0")


def logged(smolctl: Smolctl) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(smolctl("logs", "list", "-n", "0", "--json").stdout)
    return entries


def test_the_log_misses_no_prompt_also_of_a_warm_model(filled: Smolctl) -> None:
    line = ("model", "run", "small", *GREEDY, FRANCE)
    for _ in range(2):
        assert filled(*line, expect=0).stdout == PARIS  # the second goes the short way
    files = HistoryFiles(filled.settings.state)
    assert not files.database.exists()
    filled("logs", "on", expect=0)
    assert filled(*line, expect=0).stdout == PARIS
    filled("logs", "off", expect=0)
    filled(*line, expect=0)
    (entry,) = logged(filled)
    assert (entry["prompt"], entry["reply"]) == (FRANCE, PARIS.strip())
    assert entry["model"] == "small"
    assert entry["usage"]["completion_tokens"] > 3
    assert stat.S_IMODE(files.database.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert filled("logs", "list", "-r", "-m", "AI/small:latest", expect=0).stdout == PARIS


def test_runs_at_once_are_all_logged(smolctl: Smolctl, gguf: str) -> None:
    smolctl("logs", "on", expect=0)
    smolctl("model", "run", gguf, "--detach", expect=0)
    prompts = [f"What is {number} + 3?" for number in range(6)]
    running = [smolctl.start("model", "run", gguf, *GREEDY, prompt) for prompt in prompts]
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * 6
    assert sorted(entry["prompt"] for entry in logged(smolctl)) == prompts


def test_a_conversation_goes_on_from_one_run_to_the_next(smolctl: Smolctl, gguf: str) -> None:
    line = ("model", "run", gguf, *GREEDY)
    refused = smolctl(*line, "--continue", FRANCE, expect=3)
    assert (refused.stdout, len(refused.stderr_lines)) == ("", 2)
    smolctl(*line, "--session", "trip", FRANCE, expect=0)
    smolctl(*line, "--session", "trip", ITALY, expect=0)
    smolctl(*line, "-c", "--system", "Answer in one word.", FRANCE, expect=0)
    shown = json.loads(smolctl("model", "sessions", "show", "trip", "--json", expect=0).stdout)
    assert [message["role"] for message in shown["messages"]] == [
        "system",
        *("user", "assistant") * 3,
    ]
    assert shown["messages"][4]["content"] == "The capital of Italy is Rome."
    assert logged(smolctl) == []
    smolctl("model", "sessions", "rm", "trip", expect=0)
    assert smolctl("model", "sessions", "ls", "-q", expect=0).stdout == ""


def test_an_answer_that_cannot_be_logged_is_given_all_the_same(smolctl: Smolctl, gguf: str) -> None:
    smolctl("logs", "on", expect=0)
    files = HistoryFiles(smolctl.settings.state)
    files.database.write_bytes(b"no database at all" * 100)
    done = smolctl("model", "run", gguf, *GREEDY, FRANCE, expect=0)
    assert done.stdout == PARIS
    assert len(done.stderr_lines) == 1
    assert str(files.database) in done.stderr
    done = smolctl("model", "run", gguf, "--session", "trip", FRANCE, expect=6)
    assert (done.stdout, len(done.stderr_lines)) == ("", 2)
