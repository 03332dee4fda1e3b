"""Mistakes in a batch's command line, and what its bar and its last line say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from smolctl.cli import boundary
from smolctl.cli.batch_progress import batch_bar, summary_line
from smolctl.engine.generation import Usage
from smolctl.errors import NotRunnable
from smolctl.runner.batch.batch import Summary
from smolctl.runner.batch.results import Result

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("none.jsonl",), "no such file: none.jsonl"),
        ((".",), "is a folder"),
        (("in", "-o", "."), "is a folder"),
        (("in", "-o", "notes"), "line 1 of"),
        (("in", "-o", "in"), "results must go elsewhere"),
        (("in", "--template", "{a.b}"), "not the name of a field"),
        (("in", "--template", "@none"), "no such file: none"),
        (("in", "--schema", "a: int", "--format", "json"), "exclude each other"),
        (("in", "--jobs", "0"), "--jobs"),
        (("in", "--local", "--keep-alive", "5m"), "contradicts"),
        (("in", "--temperature", "-1"), "--temperature"),
    ],
)
def test_mistakes_are_found_before_a_model_is_looked_for(
    arguments: tuple[str, ...],
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMOLCTL_HOME", str(tmp_path / "models"))
    (tmp_path / "in").write_text('{"prompt": "hi"}\n')
    (tmp_path / "notes").write_text("my notes\n")
    assert boundary.run(["model", "batch", "no/such", *arguments, "--offline"]) == 2
    stdout, stderr = capfd.readouterr()
    assert what in stderr
    assert stdout == ""
    assert (tmp_path / "notes").read_text() == "my notes\n"


def test_where_there_is_nothing_to_ask_no_model_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMOLCTL_HOME", str(tmp_path / "models"))
    (tmp_path / "in").write_text("\n\n")
    assert boundary.run(["model", "batch", "no/such", str(tmp_path / "in"), "--offline"]) == 0
    assert capfd.readouterr() == ("", "0 rows done\n")


@pytest.mark.parametrize(
    ("summary", "before", "line"),
    [
        (Summary(1, 0, 0, 1.0), 0, "1 row done"),
        (Summary(7, 2, 300, 61.0), 5, "7 rows done, 2 failed, 5 done before, 300 tokens in 1:01,"),
    ],
)
def test_the_last_line_has_rows_tokens_and_the_rate(
    summary: Summary, before: int, line: str
) -> None:
    assert summary_line(summary, before).startswith(line)
    assert ("4.9 tokens/s" in summary_line(summary, before)) == (summary.tokens > 0)


def test_a_bar_is_drawn_from_the_first_result_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": "80", "TERM": "xterm", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with batch_bar(lambda: 5, 2, drawn=True) as told:
        assert capfd.readouterr().err == ""
        told(Result(3, 3, "m", "hi", usage=Usage(1, 0, 7)))
        told(Result(4, 4, "m", error=NotRunnable("no")))
    drawn = capfd.readouterr().err
    assert "4/5" in drawn
    assert "1 failed" in drawn
    with batch_bar(lambda: 5, 2, drawn=False) as told:
        told(Result(3, 3, "m", "hi"))
    assert capfd.readouterr() == ("", "")
