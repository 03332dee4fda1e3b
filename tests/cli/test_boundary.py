"""The one place where errors become lines and exit codes, in this process."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from smolctl import errors
from smolctl.cli import boundary
from smolctl.cli.boundary import Terminated
from smolctl.errors import EXIT_CODES, SmolctlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SMOLCTL_HOME", str(tmp_path / "models"))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Run `model ls` where listing raises; gives the exit code."""

    def run(error: BaseException) -> int:
        def models(_: object) -> None:
            raise error

        monkeypatch.setattr("smolctl.store.store.Store.models", models)
        return boundary.run(["model", "ls"])

    return run


ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, SmolctlError)
]


def test_every_error_has_an_exit_code_that_is_documented() -> None:
    assert {error.exit_code for error in ERRORS} <= set(EXIT_CODES)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_is_its_message_its_hint_and_its_code(
    failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
    error: type[SmolctlError],
) -> None:
    assert failing(error("it failed", hint="Do this.")) == error.exit_code

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "smolctl: it failed\n  Do this.\n"


@pytest.mark.parametrize("error", [ValueError("oops"), KeyError("oops"), OSError("oops")])
def test_anything_else_is_a_bug(
    failing: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    assert failing(error) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"smolctl: a bug in smolctl: {type(error).__name__}")
    assert "--debug" in second


def test_ctrl_c_is_130_and_says_nothing_by_itself(
    failing: Callable[[BaseException], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(KeyboardInterrupt()) == 130

    assert capsys.readouterr() == ("", "")
    # A second one ends the process there and then.
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_sigterm_is_143(failing: Callable[[BaseException], int]) -> None:
    assert failing(Terminated()) == 143


def test_sigterm_arrives_as_an_exception_that_no_command_takes() -> None:
    boundary.run(["--version"])

    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    assert not issubclass(Terminated, Exception)


def test_debug_adds_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def models(_: object) -> None:
        raise errors.IntegrityError("it failed")

    monkeypatch.setattr("smolctl.store.store.Store.models", models)

    for line in (["--debug", "model", "ls"], ["model", "ls", "--debug"]):
        assert boundary.run(line) == 6
        shown = capsys.readouterr().err
        assert shown.startswith("Traceback")
        assert shown.endswith("smolctl: it failed\n")


def test_debug_shows_no_signature(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def models(_: object) -> None:
        address = "https://me:s3cret@storage.example/blob?X-Amz-Signature=s3cret"
        raise OSError(f"cannot parse {address}\x1b[2J")

    monkeypatch.setattr("smolctl.store.store.Store.models", models)

    assert boundary.run(["model", "ls", "--debug"]) == 1
    shown = capsys.readouterr().err
    assert "cannot parse https://storage.example/blob?X-Amz-Signature=REDACTED" in shown
    assert "REDACTED" in shown.splitlines()[-2]  # the line that says it without --debug, too
    assert "s3cret" not in "".join(line for line in shown.splitlines() if "OSError" in line)
    assert "\x1b" not in shown


def test_what_was_printed_before_a_failure_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def models(_: object) -> None:
        sys.stdout.write("part of the answer\n")
        raise errors.IntegrityError("it failed")

    monkeypatch.setattr("smolctl.store.store.Store.models", models)

    assert boundary.run(["model", "ls"]) == 6
    assert capsys.readouterr().out == "part of the answer\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_python_drops_is_raised_all_the_same(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def invoke(*_: object) -> int:
        Dropping()  # Python drops what is raised in `__del__`
        signal.pause()  # until it comes again
        return 0

    monkeypatch.setattr(boundary, "_invoke", invoke)

    assert boundary.run([]) == code


def test_ctrl_c_stays_ignored_where_it_was_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    monkeypatch.setattr(boundary, "_invoke", lambda *_: signal.raise_signal(signal.SIGINT) or 0)

    assert boundary.run([]) == 0
