"""`run` in scripts: schemas, tools, code blocks, JSON and long texts, with the demo model."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.processes import Smolctl

LIMIT = 30  # seconds
PAYMENT = "Clara paid 85 euros on 2012-10-05.\n"
FIELDS = "name, date: YYYY-MM-DD, amount float"
CONVERT = {
    "type": "function",
    "function": {
        "name": "convert",
        "description": "Convert money",
        "parameters": {
            "type": "object",
            "properties": {"amount": {"type": "number"}, "target": {"enum": ["USD", "SEK"]}},
            "required": ["amount", "target"],
        },
    },
}


def test_fields_of_a_text_are_json_and_a_cut_is_an_error(smolctl: Smolctl, gguf: str) -> None:
    line = ("model", "run", gguf, "--temperature", "0", "--schema", FIELDS)
    done = smolctl(*line, stdin=PAYMENT, expect=0)
    assert json.loads(done.stdout) == {"name": "Clara", "date": "2012-10-05", "amount": 85}
    assert done.stderr == ""
    cut = smolctl(*line, "-n", "5", stdin=PAYMENT, expect=7)
    assert cut.stdout.startswith('{"name": "')
    assert len(cut.stderr_lines) == 2
    whole = smolctl(*line, "--json", stdin=PAYMENT, expect=0)
    document = json.loads(whole.stdout)
    assert document["data"] == json.loads(done.stdout)
    assert document["usage"]["completion_tokens"] > 10
    assert document["timings"]["generation_seconds"] > 0


@pytest.mark.parametrize("way", [("--local",), ()], ids=["here", "worker"])
def test_calls_are_lines_of_json(
    smolctl: Smolctl, gguf: str, tmp_path: Path, way: tuple[str, ...]
) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps([CONVERT]))
    line = ("model", "run", gguf, "--temperature", "0", *way, "--tools", path)
    done = smolctl(*line, "--tool-choice", "required", "Convert 4 CHF to USD.", expect=0)
    (call,) = map(json.loads, done.stdout.splitlines())
    assert call["name"] == "convert"
    assert call["arguments"]["target"] in ("USD", "SEK")
    document = json.loads(
        smolctl(*line, "--tool-choice", "convert", "--json", "Convert 4 CHF.", expect=0).stdout
    )
    assert document["finish_reason"] == "tool_calls"
    assert document["tool_calls"][0]["name"] == "convert"


def test_a_long_text_is_worked_on_when_that_is_asked_for(
    smolctl: Smolctl, gguf: str, tmp_path: Path
) -> None:
    path = tmp_path / "book.txt"
    story = "Anna baked a cake for her brother. The cake was sweet. Everybody liked it."
    path.write_text("\n\n".join([story] * 40))
    line = ("model", "run", gguf, "--temperature", "0", "--ctx-size", "256", "-f", path)
    refused = smolctl(*line, "Summarize:", expect=7)
    assert refused.stdout == ""
    assert "--chunk" in refused.stderr_lines[1]
    done = smolctl(*line, "--chunk", "Summarize:", expect=0)
    assert done.stdout.strip()  # what it says, so small a model does not know of such texts
    assert done.stderr == ""


def test_a_reply_without_code_is_an_error_and_is_not_lost(smolctl: Smolctl, gguf: str) -> None:
    done = smolctl("model", "run", gguf, "-x", "--temperature", "0", "Hello", expect=7)
    assert done.stdout == ""
    assert done.stderr_lines[0] == "Hello! How can I help you?"


@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_reply_of_a_form_is_flushed(
    smolctl: Smolctl, endless: str, signal_: signal.Signals, code: int
) -> None:
    process = smolctl.start(
        "model", "run", "--local", endless, "hello", "--temperature", "0", "--format", "json"
    )
    assert process.stdout is not None
    begun = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal_)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == code
    assert (begun + out).endswith(b"\n")
    assert err == b""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--schema", "age number"), "no type 'number'"),
        (("--schema", "a", "--grammar", "g"), "--schema and --grammar exclude each other"),
        (("-f", "none.txt"), "no such file: none.txt"),
        (("--system", "@none.txt"), "no such file: none.txt"),
        (("--tools", "none.json"), "no such file: none.json"),
        (("--detach", "-f", "none.txt"), "--detach"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_told_before_a_model_is_looked_for(
    smolctl: Smolctl, flags: tuple[str, ...], words: str
) -> None:
    done = smolctl("model", "run", "--offline", "none/such", "hi", *flags, expect=2)
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr_lines) <= 2
