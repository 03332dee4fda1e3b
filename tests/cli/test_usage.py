"""What is said of a command line that makes no sense: which part of it, and what to do."""

from __future__ import annotations

import errno
import io
import os

import pytest

from smolctl.cli import boundary

SEE_RUN = "`smolctl model run --help` shows how it is used."


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("model run m --top-k x", "--top-k is 'x'", "It must be a whole number."),
        ("model run m --temperature hot", "--temperature is 'hot'", "It must be a number."),
        ("serve --port 99999", "--port is 99999", "It must be a whole number from 0 to 65535."),
        ("logs list -n -3", "--count is -3", "It must be a whole number, 0 or more."),
        ("logs rm one", "ENTRY is 'one'", "It must be a whole number."),
        ("model run m --format xml", "--format is 'xml'", "It must be text or json."),
        ("completion tcsh", "SHELL is 'tcsh'", "It must be bash, zsh, fish or powershell."),
        ("completion", "SHELL is missing", "It must be bash, zsh, fish or powershell."),
        ("model run --sytem x m", "no such option: --sytem", "Did you mean --system?"),
        ("model run --temp 0 m", "no such option: --temp", "Did you mean --temperature?"),
        ("model run m -Z", "no such option: -Z", SEE_RUN),
        # Of these Typer does not say which command they are about.
        ("model run m --system", "--system needs a value", SEE_RUN),
        ("model run m --offline=1", "--offline takes no value", SEE_RUN),
        ("model ls a b c", "too many arguments: b c", "`smolctl model ls --help` shows how it"),
        ("model tag a", "TARGET is missing", "`smolctl model tag --help` shows how it is used."),
        ("model run -c", "MODEL is missing", "-c needs to know who answers: `smolctl model run -c"),
        ("logs nosuch", "no such command: nosuch", "`smolctl logs --help` shows how it is used."),
    ],
)
def test_a_mistake_is_told_in_two_lines(
    capsys: pytest.CaptureFixture[str], line: str, message: str, hint: str
) -> None:
    assert boundary.run(line.split()) == 2

    first, second = capsys.readouterr().err.splitlines()
    assert first == f"smolctl: {message}"
    assert second.strip().startswith(hint)


@pytest.mark.parametrize("line", ["--version --debug", "--debug --version"])
def test_the_version_is_printed_beside_other_flags(
    capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert boundary.run(line.split()) == 0

    assert capsys.readouterr().out.startswith("smolctl ")


class Full(io.StringIO):
    """A file on a disk that is full."""

    def write(self, text: str, /) -> int:
        del text
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("line", ["--version --debug", "--help", "model ls --help"])
def test_help_that_cannot_be_written_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.setattr("sys.stdout", Full())

    assert boundary.run(line.split()) == 8

    assert "cannot write the answer" in capsys.readouterr().err
