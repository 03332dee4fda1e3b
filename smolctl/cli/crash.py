"""What a command that has a model in its own process says when llama.cpp aborts it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from smolctl.errors import NotRunnable

if TYPE_CHECKING:
    from collections.abc import Callable

    from smolctl.cli.output import Output


def on_abort(output: Output) -> Callable[[str], NoReturn] | None:
    """Return what `Engine.open` is to call then; None with --debug, which wants the backtrace."""
    return None if output.debug else partial(_crashed, output)


def _crashed(output: Output, reason: str) -> NoReturn:
    """Say that llama.cpp aborts this process, and end it as what cannot be run ends."""
    output.flush()
    output.error(f"llama.cpp crashed: {reason}", "--debug shows its log and a backtrace.")
    os._exit(NotRunnable.exit_code)
