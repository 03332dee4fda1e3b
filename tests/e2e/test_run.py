"""`run` as people and scripts use it, with the demo model and with one that never stops."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

FRANCE = "What is the capital of France?"
PARIS = "The capital of France is Paris.\n"
CONTROL_C, END_OF_INPUT = b"\x03", b"\x04"
LIMIT = 30  # seconds
STORY = "Anna baked a cake for her brother. The cake was sweet. Everybody liked it.\n"


WAYS = pytest.mark.parametrize("way", [("--local",), ()], ids=["here", "worker"])
"""What must not depend on whether the model is in the command's own process."""


@WAYS
def test_a_prompt_of_several_words_needs_no_quotes(
    smolctl: Smolctl, gguf: str, way: tuple[str, ...]
) -> None:
    done = smolctl("model", "run", gguf, *FRANCE.split(), "--temperature", "0", *way, expect=0)
    assert (done.stdout, done.stderr) == (PARIS, "")


@pytest.mark.parametrize("arguments", [("-",), ()])
def test_the_prompt_may_come_from_standard_input(
    smolctl: Smolctl, gguf: str, arguments: tuple[str, ...]
) -> None:
    done = smolctl(
        "model", "run", "--local", gguf, *arguments, "--temperature", "0", stdin=f"{FRANCE}\n"
    )
    assert (done.code, done.stdout, done.stderr) == (0, PARIS, "")


def test_an_argument_and_piped_text_are_joined(smolctl: Smolctl, gguf: str) -> None:
    done = smolctl("model", "run", "--local", gguf, "Summarize:", "--temperature", "0", stdin=STORY)
    assert done.stdout == "Anna baked a cake for her brother.\n"


def test_the_system_prompt_reaches_the_model(smolctl: Smolctl, gguf: str) -> None:
    done = smolctl(
        "model", "run", "--local", gguf, "--system", "Answer in one word.", "--temperature", "0",
        "What is the capital of Italy?",
    )  # fmt: skip
    assert done.stdout == "Rome.\n"


def test_a_seed_repeats_and_max_tokens_end_the_answer(smolctl: Smolctl, endless: str) -> None:
    line = (
        "model",
        "run",
        "--local",
        endless,
        "hello",
        "--temperature",
        "2",
        "--seed",
        "7",
        "-n",
        "20",
    )
    first, again = smolctl(*line, expect=0), smolctl(*line, expect=0)
    other = smolctl(*line[:-4], "--seed", "8", "-n", "20", expect=0)
    assert first.stdout == again.stdout != other.stdout


@WAYS
def test_without_streaming_the_answer_comes_in_one_piece(
    smolctl: Smolctl, gguf: str, way: tuple[str, ...]
) -> None:
    process = smolctl.start("model", "run", gguf, "--no-stream", FRANCE, "--temperature", "0", *way)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 1000) == PARIS.encode()
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--temperature", "-1"), ("--top-p", "2"), ("--ctx-size", "0"), ("--threads", "0"),
     ("--seed", "-1"), ("--max-tokens", "0"), ("--top-k", "many")],
)  # fmt: skip
def test_a_value_that_makes_no_sense_names_its_flag(
    smolctl: Smolctl, gguf: str, flag: str, value: str
) -> None:
    done = smolctl("model", "run", "--local", gguf, "hi", f"{flag}={value}", expect=2)
    assert done.stdout == ""
    assert flag in done.stderr
    assert len(done.stderr_lines) <= 2


@WAYS
def test_a_prompt_longer_than_the_context_gives_both_numbers(
    smolctl: Smolctl, gguf: str, way: tuple[str, ...]
) -> None:
    done = smolctl("model", "run", gguf, "--ctx-size", "256", "7 " * 2000, *way, expect=7)
    assert done.stdout == ""
    assert "the context holds 256" in done.stderr
    assert "--ctx-size" in done.stderr


@WAYS
def test_a_context_that_does_not_fit_in_memory_says_what_does(
    smolctl: Smolctl, gguf: str, way: tuple[str, ...]
) -> None:
    done = smolctl("model", "run", gguf, "--ctx-size", "2000000000", "hi", *way, expect=7)
    assert "of memory with a context of 2000000000 tokens" in done.stderr
    assert "--ctx-size" in done.stderr_lines[1]


INTERRUPTIONS = pytest.mark.parametrize(
    ("signal_", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)


@INTERRUPTIONS
@WAYS
def test_an_interrupted_answer_is_flushed_and_ends_as_a_line(
    smolctl: Smolctl, endless: str, way: tuple[str, ...], signal_: signal.Signals, code: int
) -> None:
    process = smolctl.start("model", "run", endless, "hello", "--temperature", "0", *way)
    assert process.stdout is not None
    begun = os.read(process.stdout.fileno(), 1)
    process.send_signal(signal_)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == code
    assert (begun + out).endswith(b"\n")
    assert err == b""


@INTERRUPTIONS
def test_a_model_that_is_still_loading_can_be_interrupted(
    smolctl: Smolctl, endless: str, signal_: signal.Signals, code: int
) -> None:
    process = smolctl.start("model", "run", "--local", endless, "hello", "--debug")
    assert process.stderr is not None
    begun = process.stderr.readline()  # llama.cpp's log, which goes on while it loads
    process.send_signal(signal_)
    _, err = process.communicate(timeout=LIMIT)
    assert begun
    assert process.returncode == code
    assert b"Exception ignored" not in err


def test_a_chat_answers_keeps_what_was_said_and_leaves(smolctl: Smolctl, gguf: str) -> None:
    smolctl.environment["TERM"] = "dumb"  # what draws is in test_chat.py
    code, drawn = smolctl.on_a_terminal(
        "model", "run", gguf, "--temperature", "0",
        dialogue=[
            (rb"> ", b"What is the capital of Italy?\n"),
            (rb"Rome\.\r\n", b"/nonsense\n"),
            (rb"no such command: /nonsense", b"/clear\nWhat is 2 + 3?\n"),
            (rb"2 \+ 3 = 5\.\r\n", b"/bye\n"),
        ],
    )  # fmt: skip
    assert code == 0
    assert b"The capital of Italy is Rome." in drawn
    assert b"\x1b[31m" not in drawn


@WAYS
def test_in_a_chat_ctrl_c_stops_the_answer_alone(
    smolctl: Smolctl, endless: str, way: tuple[str, ...]
) -> None:
    smolctl.environment["TERM"] = "dumb"  # what draws is in test_chat.py
    code, drawn = smolctl.on_a_terminal(
        "model", "run", endless, "--temperature", "2", *way,
        dialogue=[
            (rb"> ", b"hello\n"),
            (rb"hello\r\n.*\w", CONTROL_C),
            (rb"\r\n> ", b"/bye\n"),
        ],
    )  # fmt: skip
    assert code == 0
    assert b"Traceback" not in drawn


def test_a_chat_ends_with_the_end_of_its_input(smolctl: Smolctl, gguf: str) -> None:
    smolctl.environment["TERM"] = "dumb"
    code, _ = smolctl.on_a_terminal(
        "model", "run", "--local", gguf, dialogue=[(rb"> ", END_OF_INPUT)]
    )
    assert code == 0


def test_a_flag_for_one_answer_says_why_no_chat_opens(smolctl: Smolctl) -> None:
    code, drawn = smolctl.on_a_terminal(
        *("model", "run", "ai/m", "--format", "json"),
        dialogue=[(rb"--format json is for one answer, not for a chat\..*Ctrl-D", b"\x03")],
    )
    assert code == 130, drawn


def test_debug_shows_what_llama_cpp_logs_while_it_loads(smolctl: Smolctl, gguf: str) -> None:
    line = ("model", "run", gguf, "hi", "--max-tokens", "1", "--ctx-size", "4096", "--debug")
    first = smolctl(*line, expect=0)
    assert "llama_model_loader" in first.stderr
    assert "The model was made for a context of 2048 tokens" in first.stderr
    again = smolctl(*line, expect=0)
    assert "llama_model_loader" not in again.stderr
    assert f"smolctl model logs {gguf}" in again.stderr
