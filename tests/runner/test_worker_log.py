"""What a worker's log says of the last worker, and that it stays small."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from smolctl.runner import worker_log
from smolctl.runner.worker_log import crash_in, last_part, lines_after, log_end, rotate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@contextmanager
def writing_to(log: Path) -> Iterator[None]:
    """Have this process's standard error go to `log`, as a worker's does."""
    kept = os.dup(2)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 2)
    os.close(handle)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def test_the_last_workers_part_tells_how_it_ended(log: Path) -> None:
    with writing_to(log):
        worker_log.log_beginning("first")
        worker_log.log_crash("of the first")
        worker_log.log_beginning("second")
        assert (crash_in(log), log_end(log)) == (None, None)
        worker_log.log("loaded")
        worker_log.log_crash("GGML_ASSERT(x)\nfailed")
    assert crash_in(log) == "llama.cpp crashed: GGML_ASSERT(x) failed"
    lines, size = last_part(log)
    assert [line[20:] for line in lines] == [
        "--- second", "loaded", "llama.cpp crashed: GGML_ASSERT(x) failed",
    ]  # fmt: skip
    assert log_end(log) == lines[-1]
    assert size == log.stat().st_size


def test_what_comes_later_comes_in_whole_lines(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    lines, size = lines_after(log, 0)
    assert lines == ["one"]
    log.write_bytes(b"one\ntwo\n")
    assert lines_after(log, size) == (["two"], 8)
    log.write_bytes(b"anew\n")
    assert lines_after(log, 8) == (["anew"], 5)


def test_a_log_begins_anew_when_it_is_large(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_log, "_MAXIMUM_BYTES", 1000)
    with writing_to(log):
        for number in range(100):
            worker_log.log(f"line {number}")
            assert log.stat().st_size < 1100
    assert "line 99" in (log_end(log) or "")


def test_a_large_log_is_set_aside_for_the_next_worker(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_log, "_OLD_BYTES", 10)
    log.write_bytes(b"x" * 10)
    rotate(log)
    assert log.exists()
    log.write_bytes(b"x" * 11)
    rotate(log)
    assert not log.exists()
    assert log.with_suffix(".log.1").read_bytes() == b"x" * 11
    rotate(log)


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert log_end(tmp_path / "none") is None
    assert crash_in(tmp_path / "none") is None
