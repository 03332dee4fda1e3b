"""Commands that tests fork are what commands are that start anew."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.forked import ForkedProcess

if TYPE_CHECKING:
    from tests.support.processes import Smolctl

LONG = 200_000  # bytes, more than a pipe holds


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(("model", "ls"), id="an answer"),
        pytest.param(("model", "tag", "-h"), id="help"),
        pytest.param(("model", "lss"), id="usage"),
        pytest.param(("model", "inspect", "nobody/nothing"), id="an error"),
    ],
)
def test_both_say_the_same_and_end_alike(filled: Smolctl, line: tuple[str, ...]) -> None:
    assert filled(*line) == filled(*line, anew=True)


def test_both_read_what_is_piped_to_them(smolctl: Smolctl) -> None:
    line = ("login", "-u", "me", "--password-stdin", "127.0.0.1:1")
    for given in ("", "x" * LONG):
        assert smolctl(*line, stdin=given) == smolctl(*line, stdin=given, anew=True)


@pytest.mark.parametrize("anew", [False, True])
def test_both_are_waited_for_and_killed(smolctl: Smolctl, anew: bool) -> None:
    line = ("login", "-u", "me", "--password-stdin", "127.0.0.1:1")
    process = smolctl.start(*line, stdin=subprocess.PIPE, anew=anew)
    assert isinstance(process, ForkedProcess) is not anew
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.01)
    assert process.poll() is None
    process.kill()
    assert process.communicate() == (b"", b"")
    assert process.returncode == -signal.SIGKILL


def test_what_python_reads_when_it_starts_makes_it_start_anew(smolctl: Smolctl) -> None:
    smolctl.environment["PYTHONIOENCODING"] = "latin-1"
    process = smolctl.start("--version")
    assert not isinstance(process, ForkedProcess)
    assert process.communicate()[0].startswith(b"smolctl ")
