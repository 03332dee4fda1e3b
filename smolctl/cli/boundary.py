"""Where the command line begins and ends: errors become lines on stderr and exit codes.

This is the one place that catches everything. Nothing below it prints an error or exits.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from smolctl.cli.noted_listing import show_noted_listing
from smolctl.cli.output import Output
from smolctl.errors import SmolctlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from sys import UnraisableHookArgs
    from types import FrameType

_SIGPIPE_CODE = 141
"""What a shell reports for a command that SIGPIPE ended: what `yes | head -1` ends with."""

_MOMENT_SECONDS = 0.001
"""After how long a signal that Python dropped is raised again."""


class Terminated(BaseException):
    """SIGTERM arrived. Not an `Exception`, so that no code but the boundary's takes it."""


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; `smolctl.errors.EXIT_CODES` says what it means."""
    with _signals_raised():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    _prepare_streams()
    output = Output(debug="--debug" in arguments)
    try:
        code = _invoke(arguments, output)
        output.flush()
    except KeyboardInterrupt:
        return _interrupted(output, 130)
    except Terminated:
        return _interrupted(output, 143)
    except BrokenPipeError:
        _drop_stdout()
        return _SIGPIPE_CODE
    except SmolctlError as error:
        _flush()
        if output.debug:
            _show_traceback(output)
        output.error(error.message, error.hint)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary: whatever is left is a bug
        _flush()
        if output.debug:
            _show_traceback(output)
        from smolctl.registry.redaction import redacted

        output.error(
            redacted(f"a bug in smolctl: {type(error).__name__}: {error}"),
            "Run it again with --debug for the traceback, and please report it.",
        )
        return 1
    return code


def _invoke(arguments: Sequence[str], output: Output) -> int:
    if show_noted_listing(arguments, output, os.environ):
        return 0
    from typer import Exit
    from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

    from smolctl.cli.app import application

    command = application()
    try:
        # Not the command's own main(): it turns Ctrl-C and a closed pipe into exit codes itself.
        with command.make_context("smolctl", list(arguments), obj=output) as context:
            command.invoke(context)
    except Exit as exit_:
        return int(exit_.exit_code)
    except NoArgsIsHelpError as error:
        error.show()
        return 2
    except UsageError as error:
        from smolctl.cli.usage import explained

        output.error(*explained(error))
        return 2
    except ClickException as error:
        output.error(error.format_message())
        return error.exit_code
    return 0


def _prepare_streams() -> None:
    """Make the standard streams ones that can be used, whatever they are.

    One that the caller closed leads nowhere from here on: the next file opened would get its
    number, and llama.cpp writes to the number. An answer that is written to a closed stdout fails,
    as it does for cat(1). A letter that stdout's encoding lacks is replaced.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number is this one: those below are open by now.
            access = os.O_RDONLY if number == 1 else os.O_RDWR
            os.set_inheritable(os.open(os.devnull, access), True)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM raised in the block, wherever they come.

    Where Python itself calls back (a weak reference's callback in an import, a `__del__`), it
    drops what is raised: there the signal is raised again, a moment later.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # ignored in the background: leave it so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    report = sys.unraisablehook

    def raise_again(unraisable: UnraisableHookArgs) -> None:
        dropped = unraisable.exc_value
        if not isinstance(dropped, (KeyboardInterrupt, Terminated)):
            report(unraisable)
            return

        def throw(signum: int, frame: FrameType | None) -> NoReturn:
            del signum, frame
            raise type(dropped)

        signal.signal(signal.SIGALRM, throw)
        signal.setitimer(signal.ITIMER_REAL, _MOMENT_SECONDS)

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = report


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    del signum, frame
    raise Terminated


def _interrupted(output: Output, code: int) -> int:
    # A second Ctrl-C, while the rest is cleaned up, ends the process there and then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _flush()
    output.interrupted()
    return code


def _flush() -> None:
    """Hand over what was printed before the failure; it is part of the answer."""
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()


def _show_traceback(output: Output) -> None:
    """Print the traceback of the error being handled, with no signed address in it."""
    from smolctl.registry.redaction import redacted

    output.aside(redacted(traceback.format_exc()))


def _drop_stdout() -> None:
    """Point stdout at nothing, so that Python's own flush at exit finds no closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
