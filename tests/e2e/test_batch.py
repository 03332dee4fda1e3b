"""`batch` as people and scripts use it: its results, what it goes on with, how it ends."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from smolctl.runner.workers import running_workers
from tests.support.processes import Smolctl
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 30  # seconds
GREEDY = ("--temperature", "0")
CAPITALS = {"France": "The capital of France is Paris.", "Italy": "The capital of Italy is Rome."}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smolctl]:
    """The command, whose workers stay for the next test."""
    with closing(Smolctl(tmp_path_factory.mktemp("batch"))) as made:
        yield made


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def question(country: str) -> str:
    return f"What is the capital of {country}?"


def rows(path: Path, *given: Any) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in given))
    return path


def results(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def complete(path: Path) -> int:
    """How many whole lines there are."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def many(tmp_path: Path, count: int = 40) -> Path:
    """A file of `count` prompts, a line each."""
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"prompt {number}\n" for number in range(count)))
    return path


def test_rows_are_answered_in_order_and_what_failed_is_tried_again(
    shared: Smolctl, gguf: str, tmp_path: Path, out: Path
) -> None:
    given: list[Any] = [
        {"id": "a", "prompt": question("France")},
        {"prompt": question("Italy"), "max_tokens": 3},
        {"id": "c", "prompt": ""},
        {"id": "d", "prompt": "long " * 4000},
    ]
    source = rows(tmp_path / "in.jsonl", *given)
    line = ("model", "batch", gguf, source, "-o", out, *GREEDY)
    done = shared(*line, expect=7)
    assert done.stdout == ""
    assert done.stderr_lines[0].startswith("2 rows done, 2 failed, ")
    assert done.stderr_lines[1] == "smolctl: 2 of 4 rows failed"
    first, second, empty, too_long = results(out)
    assert (first["id"], first["text"]) == ("a", CAPITALS["France"])
    assert first["finish_reason"] == "stop"
    assert first["usage"]["completion_tokens"] > 5
    assert first["timings"]["generation_seconds"] > 0
    assert (second["id"], second["finish_reason"]) == (2, "length")
    assert empty == {
        "id": "c", "line": 3, "error": {"message": "prompt is empty", "exit_code": 2}
    }  # fmt: skip
    assert "context" in too_long["error"]["message"]
    assert too_long["error"]["exit_code"] == 7

    given[2]["prompt"] = question("Italy")
    rows(source, *given[:3])
    done = shared(*line, expect=0)
    assert done.stderr.startswith("1 row done, 2 done before, ")
    assert [each["id"] for each in results(out)] == ["a", 2, "c", "d"]
    assert results(out)[:2] == [first, second]
    assert results(out)[2]["text"] == CAPITALS["Italy"]

    before = out.read_bytes()
    assert shared(*line, "-q", expect=0).stderr == ""
    assert out.read_bytes() == before


def test_lines_templates_and_standard_streams(shared: Smolctl, gguf: str, tmp_path: Path) -> None:
    done = shared(
        "model", "batch", gguf, "-", "--lines", *GREEDY, "-q",
        "--template", "What is the capital of {prompt}?", stdin="France\n\nItaly\n", expect=0,
    )  # fmt: skip
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [*CAPITALS.values()]
    table = tmp_path / "rows.csv"
    table.write_text("id,country\nf,France\ni,Italy\n")
    (tmp_path / "template").write_text("What is the capital of {country}?\n")
    done = shared(
        "model", "batch", gguf, table, "--template", f"@{tmp_path / 'template'}", *GREEDY,
        "--jobs", "1", "--local", expect=0,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["id"], each["text"]) for each in found] == [
        ("f", CAPITALS["France"]),
        ("i", CAPITALS["Italy"]),
    ]
    assert done.stderr.startswith("2 rows done, ")


def test_a_schema_makes_data_of_each_reply_and_one_that_is_cut_is_an_error(
    shared: Smolctl, gguf: str, tmp_path: Path
) -> None:
    source = rows(tmp_path / "in.jsonl", {"prompt": "Hi"}, {"prompt": "Hi", "max_tokens": 2})
    done = shared(
        "model", "batch", gguf, source, *GREEDY, "--schema", "yes bool", expect=7
    )  # fmt: skip
    whole, cut = [json.loads(line) for line in done.stdout.splitlines()]
    assert isinstance(whole["data"]["yes"], bool)
    assert whole["data"] == json.loads(whole["text"])
    assert "cut" in cut["error"]["message"]
    assert cut["finish_reason"] == "length"


def test_the_input_is_never_the_output_and_other_files_are_left_alone(
    shared: Smolctl, gguf: str, tmp_path: Path
) -> None:
    source = rows(tmp_path / "in.jsonl", {"prompt": "hi"})
    before = source.read_bytes()
    done = shared("model", "batch", gguf, source, "-o", source, "--overwrite", expect=2)
    assert "results must go elsewhere" in done.stderr
    notes = tmp_path / "notes"
    notes.write_text("my notes\n")
    shared("model", "batch", "no/such", source, "-o", notes, "--overwrite", "--offline", expect=3)
    assert (source.read_bytes(), notes.read_text()) == (before, "my notes\n")


def test_a_kill_leaves_whole_lines_and_the_next_run_the_rest(
    shared: Smolctl, endless: str, tmp_path: Path, out: Path
) -> None:
    source = many(tmp_path)
    line = ("model", "batch", endless, source, "--lines", "-o", out, *GREEDY, "-n", "30")
    process = shared.start(*line)
    wait_until(lambda: complete(out) >= 5, LIMIT)
    process.kill()
    process.communicate()
    kept = out.read_bytes().rpartition(b"\n")[0].splitlines()
    assert 5 <= len(kept) < 40, "it was too fast to be killed"
    with out.open("ab") as file:
        file.write(b'{"id": 99, "te')
    done = shared(*line, expect=0)
    assert f", {len(kept)} done before, " in done.stderr
    assert [each["id"] for each in results(out)] == [*range(1, 41)]
    assert out.read_bytes().splitlines()[: len(kept)] == kept


@pytest.mark.parametrize(
    ("number", "code", "way"),
    [(signal.SIGINT, 130, ()), (signal.SIGTERM, 143, ("--local",))],
    ids=["worker", "here"],
)
def test_an_interruption_keeps_what_is_finished_and_says_how_to_go_on(
    shared: Smolctl, endless: str, tmp_path: Path, out: Path,
    number: int, code: int, way: tuple[str, ...],
) -> None:  # fmt: skip
    source = many(tmp_path, 400)
    process = shared.start(
        "model", "batch", endless, source, "--lines", "-o", out, *GREEDY, "-n", "30", *way
    )
    wait_until(lambda: complete(out) >= 3, LIMIT)
    process.send_signal(number)
    stderr = process.communicate(timeout=LIMIT)[1].decode()
    assert process.returncode == code
    assert "the same command goes on" in stderr
    assert "Traceback" not in stderr
    ids = [each["id"] for each in results(out)]
    assert ids == sorted(ids)
    assert 3 <= len(ids) < 400


def test_a_closed_pipe_ends_it_quietly(shared: Smolctl, endless: str, tmp_path: Path) -> None:
    source = many(tmp_path, 400)
    process = shared.start("model", "batch", endless, source, "--lines", *GREEDY, "-n", "30")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == 1
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=LIMIT)[1] == b""
    assert process.returncode == 141


def test_rows_outlive_a_worker_that_is_killed(
    smolctl: Smolctl, endless: str, tmp_path: Path, out: Path
) -> None:
    source = many(tmp_path)
    process = smolctl.start(
        "model", "batch", endless, source, "--lines", "-o", out, *GREEDY, "-n", "30"
    )
    wait_until(lambda: complete(out) >= 3, LIMIT)
    (worker,) = running_workers(smolctl.settings)
    os.kill(worker.pid, signal.SIGKILL)
    stderr = process.communicate(timeout=LIMIT)[1].decode()
    assert process.returncode == 0, stderr
    assert [each["id"] for each in results(out)] == [*range(1, 41)]
    assert all("error" not in each for each in results(out))


def test_a_terminal_sees_how_far_it_is(
    shared: Smolctl, endless: str, tmp_path: Path, out: Path
) -> None:
    line = ("model", "batch", endless, many(tmp_path), "--lines", "-o", out, *GREEDY, "-n", "9")
    code, drawn = shared.on_a_terminal(*line)
    assert code == 0
    assert b"40/40" in drawn
    assert b"tokens/s" in drawn
    assert drawn.rstrip().endswith(b"tokens/s")
    assert shared(*line, expect=0).stderr == "0 rows done, 40 done before\n"


@pytest.mark.parametrize(
    ("flags", "message", "hint"),
    [
        ((), "the rows have no field prompt", "Fields: id, text. --template makes prompts of"),
        (
            ("--template", "Translate {txt}:"),
            "the rows have no field txt, which the template names",
            "Fields: id, text.",
        ),
    ],
)
def test_rows_that_lack_what_is_asked_are_given_up_at_once(
    shared: Smolctl, tmp_path: Path, flags: tuple[str, ...], message: str, hint: str
) -> None:
    source = rows(tmp_path / "in.jsonl", *({"id": n, "text": "x"} for n in range(9)))
    done = shared("model", "batch", "ai/none", source, *flags, expect=2)

    assert done.stderr_lines[0] == f"smolctl: {message}"
    assert done.stderr_lines[1].startswith(f"  {hint}")
