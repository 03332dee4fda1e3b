"""`bench`: a table, JSON, and what it refuses."""

from __future__ import annotations

import json
import os
import platform
import re
from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary
from smolctl.runner.benchmark import Run, Speed
from tests.support.random_bert import write_random_bert
from tests.support.random_model import write_random_model

if TYPE_CHECKING:
    from pathlib import Path

    from smolctl.engine.options import EngineOptions
    from tests.support.processes import Smolctl

SMALL = ("-p", "20", "-n", "5", "-r", "2", "--concurrency", "1,3")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random model with a context of 512."""
    return str(write_random_model(tmp_path_factory.mktemp("models") / "model.gguf"))


def test_there_is_a_row_for_each_number_of_sequences(smolctl: Smolctl, gguf: str) -> None:
    done = smolctl("model", "bench", gguf, *SMALL, expect=0)
    headers, *rows = done.stdout.splitlines()
    assert re.split(r" {3,}", headers) == [
        "SEQUENCES",
        "PROMPT",
        "GENERATION",
        "EACH",
        "FIRST TOKEN",
    ]
    speed = r"[\d.]+ ± [\d.]+ tokens/s"
    for row, sequences in zip(rows, (1, 3), strict=True):
        pattern = rf"{sequences} +{speed} +{speed} +[\d.]+ tokens/s +[\d.]+ ± [\d.]+ ms"
        assert re.fullmatch(pattern, row)
    assert done.stderr == ""


def test_what_was_measured_before_ctrl_c_is_printed(
    gguf: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object, options: EngineOptions, *__: object, **___: object) -> Speed:
        if options.sequences > 1:
            raise KeyboardInterrupt
        return Speed(1, (Run(10.0, 5.0, 0.1),))

    monkeypatch.setattr("smolctl.cli.bench.measure", interrupted)

    assert boundary.run(["model", "bench", gguf]) == 130

    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["SEQUENCES", "1"]
    assert err == "\nInterrupted. 1 of 4 were measured.\n"


def test_json_has_the_spread_of_everything(smolctl: Smolctl, gguf: str) -> None:
    found = json.loads(smolctl("model", "bench", gguf, *SMALL, "--json", expect=0).stdout)
    assert (found["prompt_tokens"], found["max_tokens"], found["repetitions"]) == (20, 5, 2)
    assert found["processor"].startswith(platform.machine())
    assert found["threads"] == len(os.sched_getaffinity(0))
    assert [each["sequences"] for each in found["results"]] == [1, 3]
    for each in found["results"]:
        for key in ("prompt_per_second", "generation_per_second", "first_token_ms"):
            assert each[key]["mean"] > 0
            assert each[key]["deviation"] >= 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--concurrency", "1,x"), "--concurrency is 1,x"),
        (("--concurrency", ""), "--concurrency is"),
        (("--concurrency", "0"), "--concurrency is 0"),
        (("-p", "0"), "--prompt-tokens is 0"),
        (("-r", "0"), "--repetitions is 0"),
        (("-p", "500", "-n", "13"), "more than the model's context, 512"),
    ],
)
def test_what_makes_no_sense_is_refused(
    smolctl: Smolctl, gguf: str, arguments: tuple[str, ...], says: str
) -> None:
    done = smolctl("model", "bench", gguf, *arguments, expect=2)
    assert says in done.stderr
    assert done.stdout == ""


def test_a_model_that_is_not_here_is_not_pulled_for_it(smolctl: Smolctl) -> None:
    assert (
        "no such model here: ai/smollm2" in smolctl("model", "bench", "ai/smollm2", expect=3).stderr
    )


def test_an_encoder_says_that_it_does_not_generate(smolctl: Smolctl, tmp_path: Path) -> None:
    path = write_random_bert(tmp_path / "bert.gguf")
    assert "does not generate" in smolctl("model", "bench", path, "-p", "9", expect=7).stderr
