"""A model's reasoning on stderr, apart from its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.cli.output import Output


class ReasoningPrinter:
    """Prints reasoning as it comes. On a terminal it is dim, and has lines of its own."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._terminal = output.stderr_is_terminal
        self._begun = False
        self._held = ""
        """Ends of lines, which count only when more follows."""

    @property
    def shares_terminal(self) -> bool:
        """Whether it appears among the answer."""
        return self._terminal and self._output.stdout_is_terminal

    def show(self, text: str) -> None:
        """Print more of it."""
        if not self._terminal:
            self._output.aside(text)
            self._begun = not text.endswith("\n")
            return
        text = self._held + text
        body = text.rstrip()
        self._held = text[len(body) :]
        if not self._begun:
            body = body.lstrip()
        if body:
            self._begun = True
            self._output.aside(body, dim=True)
        elif not self._begun:
            self._held = ""

    def end(self) -> bool:
        """End its last line. Returns whether there was one to end."""
        begun, self._begun, self._held = self._begun, False, ""
        if begun:
            self._output.aside("\n")
        return begun
