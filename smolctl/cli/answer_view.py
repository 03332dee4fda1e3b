"""How an answer is shown while it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from smolctl.cli.reasoning import ReasoningPrinter

if TYPE_CHECKING:
    from smolctl.cli.output import Output


class AnswerView(Protocol):
    """Shows one answer."""

    def reasoning(self, text: str) -> None:
        """Show more of the reasoning, at once; it goes to stderr."""

    def feed(self, text: str) -> None:
        """Show more of the answer, at once."""

    def finish(self) -> None:
        """Show what was held back, and end the last line. Also when it was interrupted."""


class PlainView:
    """Prints the text as it is: as it comes, or with `stream` off in one piece at its end."""

    def __init__(self, output: Output, *, stream: bool = True) -> None:
        self._output = output
        self._stream = stream
        self._kept: list[str] = []
        self._ended = True
        self._reasoning = ReasoningPrinter(output)

    def reasoning(self, text: str) -> None:
        """Print more of the reasoning on stderr."""
        if self._stream and not self._ended and self._reasoning.shares_terminal:
            self._output.piece("\n")
            self._ended = True
        self._reasoning.show(text)

    def feed(self, text: str) -> None:
        """Print more of the answer."""
        if not text:
            return
        self._reasoning.end()
        self._ended = text.endswith("\n")
        if self._stream:
            self._output.piece(text)
        else:
            self._kept.append(text)

    def finish(self) -> None:
        """Print what was kept, and end the last line."""
        self._reasoning.end()
        rest = "".join(self._kept) + ("" if self._ended else "\n")
        self._kept, self._ended = [], True
        if rest:
            self._output.piece(rest)


def answer_view(output: Output, *, stream: bool = True, markdown: bool = True) -> AnswerView:
    """Return the view for where the answer goes: rendered on a terminal that can, else plain.

    Without `stream` the answer is shown when it is whole.
    """
    if markdown and output.stdout_is_screen:
        from smolctl.cli.markdown.view import MarkdownView

        return MarkdownView(output, stream=stream)
    return PlainView(output, stream=stream)
