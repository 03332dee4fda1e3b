"""Telling a model's reasoning (`<think>…</think>`) from its answer while both stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from smolctl.engine.text import overlap

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING = "<think>"
CLOSING = "</think>"


class ReasoningSplitter:
    """Splits one reply's text into reasoning and answer, the two tags left out.

    Only a reply that begins with `<think>` has reasoning: later the tag is text about the tag.
    With `inside` the prompt has opened the tag already. Text is held back only while it may still
    turn out to be part of a tag.
    """

    def __init__(self, *, inside: bool = False) -> None:
        self._at: Literal["beginning", "reasoning", "gap", "answer"]
        self._at = "reasoning" if inside else "beginning"
        self._pending = ""

    def feed(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield what is certain with `text`, the reply's next: pieces, whether each is reasoning.

        No piece is empty.
        """
        text, self._pending = self._pending + text, ""
        if self._at == "beginning":
            start = text.lstrip()
            if len(start) < len(OPENING) and OPENING.startswith(start):
                self._pending = text
                return
            if start.startswith(OPENING):
                self._at, text = "reasoning", start.removeprefix(OPENING)
            else:
                self._at = "answer"
        if self._at == "reasoning":
            before, closed, after = text.partition(CLOSING)
            if closed:
                self._at, text = "gap", after
            else:
                certain = len(before) - overlap(before, CLOSING)
                before, self._pending, text = before[:certain], before[certain:], ""
            if before:
                yield before, True
        if self._at == "gap":
            # The answer begins after the blank lines that set the reasoning off.
            text = text.lstrip()
            if text:
                self._at = "answer"
        if text:
            yield text, False

    def finish(self) -> Iterator[tuple[str, bool]]:
        """Yield what was held back; the reply is over."""
        if self._pending:
            yield self._pending, self._at == "reasoning"
            self._pending = ""
